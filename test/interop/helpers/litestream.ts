import { writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import { onTestFinished } from "vitest";
import { type Child, type Exit, spawnChild } from "../../../src/bench/child.ts";
import type { Scene } from "../../helpers/e2e/scene.ts";
import { programFrom } from "./program.ts";

/** Where copies are, as walrust and as Litestream are told of it. */
export interface Place {
  readonly address: string;
  /** Further arguments of walrust. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The `replica:` of Litestream's configuration for one database. */
  replica(name: string): string;
}

let configs = 0;

/** The real program, with a configuration of its own for these databases: names of files in the scene's folder, without `.db`. */
export class Litestream {
  readonly #at: Scene;
  readonly #place: Place;
  readonly #config: string;

  constructor(at: Scene, place: Place, names: readonly string[]) {
    this.#at = at;
    this.#place = place;
    this.#config = at.path(`litestream-${++configs}.yml`);
    // Merges, snapshots and prunes within seconds, as it does in days otherwise.
    const lines = [
      "levels: [{interval: 1s}, {interval: 3s}]",
      "snapshot: {interval: 4s, retention: 1h}",
      "l0-retention: 2s",
      "l0-retention-check-interval: 1s",
      "dbs:",
      ...names.flatMap((name) => [
        `  - path: ${at.path(`${name}.db`)}`,
        "    monitor-interval: 50ms",
        `    replica: {${place.replica(name)}, sync-interval: 100ms}`,
      ]),
    ];
    writeFileSync(this.#config, `${lines.join("\n")}\n`);
  }

  /** `litestream replicate`; killed when the test is over, if it still runs. */
  replicate(): Child {
    const child = this.#start("replicate");
    onTestFinished(() => child.kill("SIGKILL"));
    return child;
  }

  /** Stops it as a service manager would. */
  async stop(daemon: Child): Promise<void> {
    daemon.kill("SIGTERM");
    await daemon.exited;
  }

  restore(name: string, out: string, args: readonly string[] = []): Promise<Exit> {
    return this.#start("restore", "-o", out, ...args, this.#at.path(`${name}.db`)).exited;
  }

  #start(command: string, ...args: readonly string[]): Child {
    const env = { HOME: this.#at.folder, TMPDIR: this.#at.folder, ...this.#place.env };
    return spawnChild(programFrom("WALRUST_LITESTREAM"), [command, "-config", this.#config, ...args], {
      cwd: this.#at.folder,
      env,
    });
  }
}

/** All rows of the application's table, once SQLite has found nothing wrong with the file. */
export function rowsOf(path: string): readonly unknown[] {
  const database = new Database(path, { readonly: true });
  try {
    if (database.pragma("integrity_check", { simple: true }) !== "ok") throw new Error(`${path} is damaged`);
    return database.prepare("SELECT id, hex(body) AS body FROM notes ORDER BY id").all();
  } finally {
    database.close();
  }
}
