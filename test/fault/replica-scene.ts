import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect } from "vitest";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { tempFolder } from "../helpers/e2e/temp-folder.ts";
import { runWalrust } from "../helpers/e2e/walrust.ts";
import { expectReplica } from "../helpers/follow/expect-replica.ts";
import { aSource, type Source } from "../helpers/follow/source.ts";
import type { CrashScene, Meanwhile } from "./crash-scene.ts";
import { type Death, type Operation, runUntilDeath, traceOf } from "./dying.ts";
import { copyObjects, type Place, type PlaceName, placeOf } from "./place.ts";

export type ReplicaStory = "first copy" | "increments" | "whole database";

/** `replicate --once`: the first copy, increments on it, or the whole database over it where no increments lead on. */
export class ReplicaScene implements CrashScene {
  readonly #at: Scene;
  readonly #place: Place;
  readonly #source: Source;
  readonly #replica: string;
  /** Its reader looks at the file itself, and rolls back what is half done; else walrust is the first to come. */
  readonly #readsFirst: boolean;
  /** Rows that a reader may see. */
  #rows: readonly number[] = [];

  static async begin(story: ReplicaStory, placeName: PlaceName, meanwhile: Meanwhile): Promise<ReplicaScene> {
    const at = scene();
    const place = await placeOf(at, placeName);
    const source = await aSource();
    const opened = new ReplicaScene(at, place, source, meanwhile !== "nothing");
    if (story !== "first copy") await opened.#publishAndFollow();
    for (let i = 0; i < 3; i++) await source.commit(20);
    if (story === "whole database") {
      await source.snapshot();
      for (const txid of [2n, 3n, 4n]) source.storage.remove(source.history.key(txid, txid));
    }
    await copyObjects(source.storage, place.storage);
    opened.#rows = [...opened.#rows, 80];
    return opened;
  }

  private constructor(at: Scene, place: Place, source: Source, readsFirst: boolean) {
    this.#at = at;
    this.#place = place;
    this.#source = source;
    this.#replica = at.path("replica.db");
    this.#readsFirst = readsFirst;
  }

  async #publishAndFollow(): Promise<void> {
    await copyObjects(this.#source.storage, this.#place.storage);
    await this.#follow();
    this.#rows = [20];
  }

  async die(death: Death): Promise<Operation | undefined> {
    return (await runUntilDeath(this.#at, death, this.#run())).operation;
  }

  trace(): Promise<readonly Operation[]> {
    return traceOf(this.#at, this.#run());
  }

  async afterDeath(): Promise<void> {
    if (!existsSync(this.#replica)) {
      expect(this.#rows, "a replica that was there still is").toEqual([80]);
      return;
    }
    expect(this.#rows).toContain(rowsSeenAt(this.#readsFirst ? this.#replica : copyOf(this.#replica)));
  }

  async liveOn(): Promise<void> {
    await this.#follow();
    expect(rowsSeenAt(copyOf(this.#replica))).toBe(80);
    expectReplica(this.#replica, this.#source.history.image());
    const folder = this.#at.path(".replica.db-replica");
    const strays = [
      ...readdirSync(this.#at.folder).filter(
        (name) => !/^(storage|\.?replica\.db(-replica(-state)?)?)$/.test(name),
      ),
      ...readdirSync(folder).filter((name) => name !== "lock.db"),
    ];
    expect(strays, "what the dead one left").toEqual([]);
  }

  async #follow(): Promise<void> {
    const { args, env } = this.#run();
    const { code, stderr, stdout } = await runWalrust(this.#at, args, { env });
    expect(code, stderr).toBe(0);
    expect(stdout).not.toContain("replica_diverged");
  }

  #run() {
    const { address, args, env } = this.#place;
    const source = ["replicate", `${address}/app`, "--local", this.#replica];
    return { args: [...source, "--once", "--json", ...args], env };
  }
}

function copyOf(path: string): string {
  const copy = join(tempFolder(), "copy.db");
  for (const suffix of ["", "-journal"])
    if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
  return copy;
}

/** What a reader sees, which is one state and whole. */
function rowsSeenAt(path: string): number {
  const reader = new Database(path);
  try {
    expect(reader.pragma("integrity_check", { simple: true })).toBe("ok");
    const row = reader
      .prepare<[], { n: number; a: number; b: number }>(
        "SELECT n, (SELECT count(v) FROM a) AS a, (SELECT count(v) FROM b) AS b FROM last",
      )
      .get();
    expect(row).toEqual({ n: row?.n, a: row?.n, b: row?.n });
    return row?.n ?? 0;
  } finally {
    reader.close();
  }
}
