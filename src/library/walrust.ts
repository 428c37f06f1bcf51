import path from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../clock.ts";
import type { Environment } from "../config/environment.ts";
import { librarySettings, type StorageOptions } from "../config/library-settings.ts";
import type { SyncSettings } from "../config/settings.ts";
import { type WatchedDatabase, writeToml } from "../config/write-toml.ts";
import { WalrustError } from "../errors.ts";
import { silentLog } from "../observability/silent-log.ts";
import type { RestoreTarget } from "../restore/plan.ts";
import type { RestoreResult, RestoreOptions as RestoringOptions } from "../restore/restore.ts";
import { type OpenedWalrust, openWalrust } from "../walrust.ts";
import { WatchProcess } from "./watch-process.ts";

/** This module is bundled into dist/index.js, beside it. */
const PROGRAM = fileURLToPath(new URL("./cli.js", import.meta.url));

export interface WalrustOptions extends StorageOptions {
  /** Where credentials come from, and what the daemon of watch() gets. Default: process.env. */
  readonly env?: Environment;
}

export interface RestoreOptions extends Omit<RestoringOptions, "target"> {
  /** The last commit at or before it. */
  readonly pointInTime?: Date;
  /** Exactly this transaction. */
  readonly txid?: bigint;
  /** Where the history of `pointInTime` has a hole: take the point before it instead of failing. */
  readonly nearest?: boolean;
}

export interface WatchOptions {
  readonly sync?: Partial<SyncSettings>;
  readonly onEvent?: (event: Readonly<Record<string, unknown>>) => void;
}

/**
 * Copies of databases in one storage. Every failure is a WalrustError with `code` and `exitCode`.
 *
 *     const walrust = new Walrust("s3://copies", { endpoint: "https://storage.example" });
 *     await walrust.restore("app", "app.db", { pointInTime: new Date("2026-01-31T12:00:00Z") });
 */
export class Walrust {
  readonly #url: string;
  readonly #options: StorageOptions;
  readonly #env: Environment;

  /** @param url a bucket's name, `s3://bucket/prefix` or `file:///folder` */
  constructor(url: string, options: WalrustOptions = {}) {
    const { env = process.env, ...storage } = options;
    this.#url = url;
    this.#options = storage;
    this.#env = env;
    librarySettings(url, storage, env);
  }

  /** See `walrust restore`. The output appears whole or not at all. */
  restore(name: string, output: string, options: RestoreOptions = {}): Promise<RestoreResult> {
    const { pointInTime, txid, nearest, ...restoring } = options;
    const target = restoreTarget(pointInTime, txid, nearest);
    return this.#with((walrust) => walrust.restore(name, output, { ...restoring, target }));
  }

  /**
   * Keeps copies of these databases, paths or patterns, until stop() is called or this process ends. It runs as a child
   * process: in this one, touching a database that is open here would drop SQLite's locks on it.
   */
  watch(databases: readonly (string | WatchedDatabase)[], options: WatchOptions = {}): WatchProcess {
    const { sync = {}, onEvent = () => {} } = options;
    const listed = databases.map((database) =>
      typeof database === "string" ? { path: database } : database,
    );
    const toml = writeToml({ url: this.#url, storage: this.#options, sync, databases: listed.map(absolute) });
    return new WatchProcess({ program: PROGRAM, toml, env: this.#env, clock: systemClock, onEvent });
  }

  async #with<T>(use: (walrust: OpenedWalrust) => Promise<T>): Promise<T> {
    const storage = librarySettings(this.#url, this.#options, this.#env);
    const walrust = await openWalrust({ storage }, { clock: systemClock, env: this.#env, log: silentLog });
    try {
      return await use(walrust);
    } finally {
      await walrust.close();
    }
  }
}

function restoreTarget(pointInTime?: Date, txid?: bigint, nearest = false): RestoreTarget {
  if (pointInTime !== undefined && txid !== undefined) {
    throw new WalrustError("USAGE", "pointInTime and txid say the same thing twice");
  }
  if (txid !== undefined) return { kind: "txid", txid };
  return pointInTime === undefined
    ? { kind: "latest" }
    : { kind: "time", timestampMs: pointInTime.getTime(), nearest };
}

/** The daemon reads its configuration elsewhere, where a relative path would mean another file. */
function absolute(database: WatchedDatabase): WatchedDatabase {
  return { ...database, path: path.resolve(database.path) };
}
