import { readdirSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { compact } from "../../src/retention/compact.ts";
import { databaseKeys } from "../../src/storage/keys.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { tempFolder } from "../helpers/e2e/temp-folder.ts";
import { runWalrust } from "../helpers/e2e/walrust.ts";
import type { Source } from "../helpers/follow/source.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { keysOf } from "../storage/support.ts";
import { expectKept, expectSound, type Points, restoreAll } from "./copy-points.ts";
import type { CrashScene } from "./crash-scene.ts";
import { type Death, type Operation, runUntilDeath, traceOf } from "./dying.ts";
import { oldCopy } from "./old-copy.ts";
import { copyObjects, type Place, type PlaceName, placeOf } from "./place.ts";

/** The newest snapshot, what came behind it by the minute, and the last hour: the day before goes. */
const RETENTION = { hourly: 1, daily: 1, weekly: 0, monthly: 0 };
const FLAGS = Object.entries(RETENTION).flatMap(([rule, count]) => [`--${rule}`, String(count)]);

/** `compact --force`, or `verify --fix` of a copy whose manifest is damaged. */
export class CopyScene implements CrashScene {
  readonly #at: Scene;
  readonly #place: Place;
  readonly #args: readonly string[];
  readonly #source: Source;
  /** Keys that are there when it was not disturbed, and the points that are to stay. */
  readonly #keysAfter: readonly string[];
  readonly #toStay: Points;
  readonly #outputs: string;

  static async begin(kind: "compact" | "fix", placeName: PlaceName): Promise<CopyScene> {
    const at = scene();
    const place = await placeOf(at, placeName);
    const source = await oldCopy();
    if (kind === "fix") source.storage.poke(databaseKeys("app").manifest(), Buffer.from("{"));
    await copyObjects(source.storage, place.storage);
    const undisturbed = new MemoryStorage();
    await copyObjects(source.storage, undisturbed);
    if (kind === "compact") await compactThere(undisturbed);
    const outputs = tempFolder();
    const toStay = await restoreAll(undisturbed, (name) => `${outputs}/${name}`, stateIn(source));
    expect(toStay.size).toBeGreaterThan(3);
    return new CopyScene(at, place, kind, {
      source,
      toStay,
      outputs,
      keysAfter: await keysOf(undisturbed.list("")),
    });
  }

  private constructor(
    at: Scene,
    place: Place,
    kind: "compact" | "fix",
    expected: { source: Source; toStay: Points; outputs: string; keysAfter: readonly string[] },
  ) {
    this.#at = at;
    this.#place = place;
    const command = kind === "compact" ? ["compact", "app", "--force", ...FLAGS] : ["verify", "app", "--fix"];
    this.#args = [...command, "--json", "-b", place.address, ...place.args];
    this.#source = expected.source;
    this.#toStay = expected.toStay;
    this.#keysAfter = expected.keysAfter;
    this.#outputs = expected.outputs;
  }

  async die(death: Death): Promise<Operation | undefined> {
    const dead = await runUntilDeath(this.#at, death, { args: this.#args, env: this.#place.env });
    return dead.operation;
  }

  trace(): Promise<readonly Operation[]> {
    return traceOf(this.#at, { args: this.#args, env: this.#place.env });
  }

  async afterDeath(): Promise<void> {
    expectKept(this.#toStay, await this.#points());
  }

  async liveOn(): Promise<void> {
    const exit = await runWalrust(this.#at, this.#args, { env: this.#place.env });
    expect(exit.code, exit.stderr + exit.stdout).toBe(0);
    expectKept(this.#toStay, await this.#points());
    expect(await keysOf(this.#place.storage.list(""))).toEqual(this.#keysAfter);
    await expectSound(this.#place.storage);
    const beside = readdirSync(this.#at.folder).filter((name) => name !== "storage");
    expect([...(await this.#place.strays()), ...beside], "what the dead one left").toEqual([]);
  }

  #points(): Promise<Points> {
    return restoreAll(this.#place.storage, (name) => `${this.#outputs}/${name}`, stateIn(this.#source));
  }
}

async function compactThere(storage: MemoryStorage): Promise<void> {
  const policy = { retention: RETENTION, compaction: { fineWindowMs: 3_600_000, stepMs: 60_000 } };
  await compact({ storage, cores: new CorePool(), clock: systemClock }, "app", { policy, force: true });
}

/** The TXID whose image a file is. */
function stateIn({ history }: Source): (file: string) => number {
  return (file) => {
    const bytes = readFileSync(file);
    const txid = history.txids().find((one) => bytes.equals(history.image(one)));
    expect(txid, `${file} is one of the states that were published`).toBeDefined();
    return Number(txid);
  };
}
