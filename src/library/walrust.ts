import path from "node:path";
import { systemClock } from "../clock.ts";
import type { Environment } from "../config/environment.ts";
import { librarySettings, type StorageOptions } from "../config/library-settings.ts";
import { retentionPolicy } from "../config/retention.ts";
import type { CompactionSettings, RetentionSettings, SyncSettings } from "../config/settings.ts";
import { type WatchedDatabase, writeToml } from "../config/write-toml.ts";
import { WalrustError } from "../errors.ts";
import { silentLog } from "../observability/silent-log.ts";
import type { VerifiedAndFixed } from "../restore/fix-manifest.ts";
import type { ListedDatabase, RestorePoints } from "../restore/list.ts";
import type { RestoreTarget } from "../restore/plan.ts";
import type { RestoreResult, RestoreOptions as RestoringOptions } from "../restore/restore.ts";
import type { VerifyOptions, VerifyReport } from "../restore/verify.ts";
import type { CompactProgress, CompactReport } from "../retention/compact.ts";
import type { CallOptions } from "../storage/storage.ts";
import { type OpenedWalrust, openWalrust } from "../walrust.ts";
import { type Document, startProgram, withConfigFile } from "./program.ts";
import { WatchProcess } from "./watch-process.ts";

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

export interface CompactOptions extends Partial<RetentionSettings>, Partial<CompactionSettings>, CallOptions {
  /** Do it. Without it the report says what would be done. */
  readonly force?: boolean;
  readonly onProgress?: (progress: CompactProgress) => void;
}

export interface SnapshotResult {
  readonly name: string;
  /** The object in storage. */
  readonly key: string;
  readonly txid: bigint;
  readonly sizeBytes: number;
  /** Who took it: a daemon that watches the database, or a process of its own. */
  readonly takenBy: "daemon" | "here";
}

export interface ReplicateOptions {
  /** Between two looks at the storage (5000). */
  readonly intervalMs?: number;
  readonly onEvent?: (event: Readonly<Record<string, unknown>>) => void;
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
    this.#options = withAbsoluteKeyFile(storage);
    this.#env = env;
    librarySettings(url, storage, env);
  }

  /** See `walrust restore`. The output appears whole or not at all. */
  restore(name: string, output: string, options: RestoreOptions = {}): Promise<RestoreResult> {
    const { pointInTime, txid, nearest, ...restoring } = options;
    const target = restoreTarget(pointInTime, txid, nearest);
    return this.#with((walrust) => walrust.restore(name, output, { ...restoring, target }));
  }

  /** One full snapshot now, also beside a running watch of the same database. See `walrust snapshot`; it runs as a child process. */
  snapshot(database: string | WatchedDatabase, options: CallOptions = {}): Promise<SnapshotResult> {
    const { signal } = options;
    const watched = absolute(database);
    return withConfigFile(this.#toml([watched], {}), async (config) => {
      const documents: Document[] = [];
      const onDocument = (document: Document) => documents.push(document);
      const { stop, ended } = startProgram(["snapshot", watched.path, "--config", config], {
        env: this.#env,
        onDocument,
      });
      signal?.addEventListener("abort", stop, { once: true });
      const error = await ended.finally(() => signal?.removeEventListener("abort", stop));
      signal?.throwIfAborted();
      if (error) throw error;
      return snapshotResult(documents[0] ?? {});
    });
  }

  /** The databases that the storage has. */
  list(options: CallOptions = {}): Promise<readonly ListedDatabase[]> {
    return this.#with((walrust) => walrust.list(options));
  }

  /** What can be restored of one database. */
  restorePoints(name: string, options: CallOptions = {}): Promise<RestorePoints> {
    return this.#with((walrust) => walrust.restorePoints(name, options));
  }

  /** Reads every byte of a backup. What is wrong with it is no error, but in `findings`. */
  verify(name: string, options: VerifyOptions = {}): Promise<VerifyReport> {
    return this.#with((walrust) => walrust.verify(name, options));
  }

  /** The same, and rewrites the manifest from the objects. What is lost stays lost, and in `report.findings`. */
  verifyAndFix(name: string, options: VerifyOptions = {}): Promise<VerifiedAndFixed> {
    return this.#with((walrust) => walrust.verifyAndFix(name, options));
  }

  /**
   * Retention and merging of one database: what stays, what goes and what is merged. Nothing is changed without `force`. See
   * `walrust compact`; no walrust.toml is read.
   */
  compact(name: string, options: CompactOptions = {}): Promise<CompactReport> {
    const { fineWindowMs, stepMs, hourly, daily, weekly, monthly, ...compacting } = options;
    const policy = retentionPolicy({ fineWindowMs, stepMs, hourly, daily, weekly, monthly });
    return this.#with((walrust) => walrust.compact(name, { ...compacting, policy }));
  }

  /**
   * Keeps copies of these databases, paths or patterns, until stop() is called or this process ends. It runs as a child
   * process: in this one, touching a database that is open here would drop SQLite's locks on it.
   */
  watch(databases: readonly (string | WatchedDatabase)[], options: WatchOptions = {}): WatchProcess {
    const { sync = {}, onEvent = () => {} } = options;
    const toml = this.#toml(databases.map(absolute), sync);
    // a port that the program did not ask for would surprise it
    const command = ["watch", "--no-metrics"];
    return new WatchProcess({ command, toml, env: this.#env, clock: systemClock, onDocument: onEvent });
  }

  /**
   * Keeps `file` a read replica of a database in the storage until stop() is called or this process ends. It runs as a child process, so
   * that this one may have the replica open. See `walrust replicate`.
   */
  replicate(name: string, file: string, options: ReplicateOptions = {}): WatchProcess {
    const { intervalMs, onEvent = () => {} } = options;
    const interval = intervalMs === undefined ? [] : ["--interval", `${intervalMs}ms`];
    const command = ["replicate", name, "--local", path.resolve(file), ...interval];
    const toml = this.#toml([], {});
    return new WatchProcess({ command, toml, env: this.#env, clock: systemClock, onDocument: onEvent });
  }

  #toml(databases: readonly WatchedDatabase[], sync: Partial<SyncSettings>): string {
    return writeToml({ url: this.#url, storage: this.#options, sync, databases });
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

/** The program reads its configuration elsewhere, where a relative path would mean another file. */
function absolute(database: string | WatchedDatabase): WatchedDatabase {
  const watched = typeof database === "string" ? { path: database } : database;
  return { ...watched, path: path.resolve(watched.path) };
}

function withAbsoluteKeyFile(storage: StorageOptions): StorageOptions {
  const { encryption } = storage;
  if (encryption?.kind !== "file") return storage;
  return { ...storage, encryption: { ...encryption, path: path.resolve(encryption.path) } };
}

function snapshotResult(document: Document): SnapshotResult {
  const { name, key, txid, size, taken_by: takenBy } = document;
  return {
    name: String(name),
    key: String(key),
    txid: BigInt(txid as number | bigint),
    sizeBytes: Number(size),
    takenBy: takenBy as SnapshotResult["takenBy"],
  };
}
