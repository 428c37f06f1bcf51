import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { Capture } from "../../src/replication/capture.ts";
import { type FrameRun, readRun } from "../../src/replication/pending-frames.ts";
import { recoverFrames } from "../../src/replication/recover-frames.ts";
import type { RemoteHead } from "../../src/replication/remote-head.ts";
import { concludeResume } from "../../src/replication/resume.ts";
import type { LogPosition } from "../../src/wal/position.ts";
import { LogScanner } from "../../src/wal/scanner.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { runs } from "../helpers/property-runs.ts";
import { testCore } from "../helpers/sqlite/probe.ts";
import { FRAME_SIZE, LogWorld, PAGE_SIZE } from "../helpers/wal/log-world.ts";
import {
  calmStep,
  plain,
  stepsOf,
  takeStep,
  type WorldStep,
  worldStep,
} from "../helpers/wal/log-world-steps.ts";

const scanner = new LogScanner(testCore());
const clock = new ManualClock();
const segmentFolder = mkdtempSync(join(tmpdir(), "walrust-resume-property-"));
afterAll(() => rmSync(segmentFolder, { recursive: true, force: true }));

type Step = WorldStep | { readonly do: "publish" | "save the cursor" | "secure" | "we die" | "start" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: worldStep },
  {
    weight: 1,
    arbitrary: plain("publish", "publish", "save the cursor", "secure", "we die", "start", "start"),
  },
);

const calm: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: calmStep },
  { weight: 1, arbitrary: plain("publish", "publish", "save the cursor", "unpin", "we die", "start") },
);

const OURS: ReadonlySet<Step["do"]> = new Set([
  "look",
  "pin",
  "unpin",
  "secure",
  "publish",
  "save the cursor",
]);

interface Published {
  readonly txid: bigint;
  readonly commits: readonly number[];
  /** Where that lies in the log. */
  readonly log: LogPosition | undefined;
}

interface Cursor extends Published {
  readonly losses: number;
}

/** Lives of a daemon, one after the other: each concludes from what storage and the shadow folder have. */
class Lives {
  readonly world = new LogWorld();
  #capture: Capture;
  #published: Published;
  #cursor: Cursor;
  #isAlive = true;

  constructor() {
    for (const name of readdirSync(segmentFolder)) rmSync(join(segmentFolder, name));
    this.#published = { txid: 1n, commits: [], log: undefined };
    this.#cursor = { ...this.#published, losses: 0 };
    this.#capture = this.#captureAt({ txid: 1n, commitPages: 7, log: undefined }, true);
    this.#repair();
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case "start":
        return this.#isAlive ? undefined : this.#nextLife();
      case "we die":
      case "crash":
      case "lose power":
        return this.#end(step);
      default:
        return this.#isAlive ? this.#live(step) : this.#takeDead(step);
    }
  }

  /** The application goes on while nobody watches. */
  #takeDead(step: Step): void {
    if (!OURS.has(step.do)) takeStep(this.world, step as WorldStep);
  }

  #live(step: Exclude<Step, { do: "we die" | "crash" | "lose power" | "start" }>): void {
    switch (step.do) {
      case "look":
        this.#look();
        break;
      case "pin":
        this.#pin();
        break;
      case "unpin":
        this.#secure();
        this.world.unpin();
        this.#capture.unpinned();
        break;
      case "secure":
        this.#secure();
        break;
      case "publish":
        this.#publish();
        break;
      case "save the cursor":
        this.#cursor = { ...this.#published, losses: this.world.losses };
        break;
      default:
        takeStep(this.world, step as WorldStep);
        break;
    }
  }

  #end(step: Step): void {
    if (this.#isAlive) this.#capture.pending.close();
    this.#isAlive = false;
    this.world.unpin();
    if (step.do !== "we die") takeStep(this.world, step as WorldStep);
  }

  #look(): void {
    const outcome = this.#capture.captureNow();
    if (outcome.kind === "gap") this.#repair();
    else this.#expectTruth("captured");
  }

  #secure(): void {
    if (this.#capture.drain().kind === "gap") this.#repair();
  }

  /** As in #continues of open-replica.ts, and before every pin of the daemon. */
  #pin(): void {
    if (this.world.isPinned) return;
    if (this.#capture.look().kind !== "gap") {
      this.world.pin();
      if (this.#capture.drain().kind !== "gap") {
        this.#capture.pinned();
        this.#expectTruth("pinned");
        return;
      }
    }
    this.#repair();
  }

  #publish(): void {
    this.#look();
    const sealed = this.#capture.pending.seal();
    const last = sealed.at(-1);
    if (last === undefined) return;
    const commits = [...this.#published.commits, ...sealed.flatMap(commitsOf)];
    this.#published = { txid: last.txidBefore + last.commits, commits, log: last.to };
    this.#capture.pending.settle();
  }

  async #nextLife(): Promise<void> {
    this.#isAlive = true;
    const { txid, log } = this.#published;
    const [cursor, head] = [this.#cursor, this.#head()];
    const isOfThisRun = cursor.losses === this.world.losses;
    const frames = await recoverFrames({
      ...{ segmentFolder, isSynced: false, scanner, head, txidUnit: "commit" },
      cursorLog: cursor.txid === txid ? cursor.log : undefined,
      locateHead: async () => undefined,
      nowMs: { wall: clock.now(), monotonic: clock.monotonicMs() },
    });
    for (const run of frames.runs) expect(run.txidBefore >= txid, "nothing is published twice").toBe(true);
    this.#capture = this.#captureAt(frames.state, isOfThisRun);
    this.#capture.adopt(frames.runs);
    const isGap = this.#capture.look().kind === "gap";
    const { kind } = concludeResume({
      remote: { txid, pageSizeBytes: PAGE_SIZE, hasSnapshot: true, hasChecksum: true },
      ...{ highestTxid: txid, pageSizeBytes: PAGE_SIZE, tableIsHead: true, framesContinue: !isGap },
    });
    if (kind === "continue") return this.#pin();
    // What can be proved must be: a life that ended in order costs the next one no look at the database.
    const isInOrder = cursor.txid === txid && isOfThisRun && log !== undefined;
    const end = this.world.end();
    expect(isInOrder && frames.runs.length === 0 && end !== undefined && isSame(end, log), kind).toBe(false);
    this.#repair();
  }

  #captureAt(state: Capture["state"], isOfThisRun: boolean): Capture {
    const log = { readWal: this.world.read, index: () => this.world.index(), samePath: () => true };
    const options = { log, scanner, clock, pageSizeBytes: PAGE_SIZE, segmentFolder, isOfThisRun };
    return new Capture({ ...options, txidUnit: "commit" }, state);
  }

  #head(): RemoteHead {
    const { txid, log } = this.#published;
    return {
      state: { txid, commitPages: 7, postApply: 1n << 63n, timestampMs: 0, log: undefined },
      ...{ pageSizeBytes: PAGE_SIZE, newestSnapshot: undefined },
      logEnd: log && { salt1: log.salt1, salt2: log.salt2, offset: log.offset },
      incrementalsAfter: () => [],
    };
  }

  /** The differing pages are published as one file, at an exact pin. */
  #repair(): void {
    const log = this.world.end();
    const txid = this.#capture.state.txid + 1n;
    const commits = this.world.history.map(({ id }) => id);
    this.#published = { txid, commits, log };
    this.#cursor = { ...this.#published, losses: this.world.losses };
    this.world.pin();
    this.#capture.restartAt({ txid, commitPages: 7, log });
    this.#capture.pinned();
  }

  /** Storage and what is pending make the database, commit by commit. */
  #expectTruth(what: string): void {
    const pending = this.#capture.pending.runs.flatMap(commitsOf);
    expect([...this.#published.commits, ...pending], what).toEqual(this.world.history.map(({ id }) => id));
  }
}

/** By the bytes of its frames, wherever they lie. */
function commitsOf(run: FrameRun): number[] {
  const ids: number[] = [];
  const head = Buffer.alloc(25);
  for (let at = run.from.offset; at < run.to.offset; at += FRAME_SIZE) {
    expect(readRun(run, head, at)).toBe(head.length);
    if (head.readUInt32BE(4) > 0) ids.push(head[24] ?? 0);
  }
  expect(BigInt(ids.length), "TXIDs").toBe(run.commits);
  return ids;
}

function isSame(a: LogPosition, b: LogPosition): boolean {
  return a.salt1 === b.salt1 && a.salt2 === b.salt2 && a.offset === b.offset && a.checksum1 === b.checksum1;
}

test("whatever a life leaves behind, the next one goes on only where nothing is missing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(stepsOf(calm), stepsOf(step)), async (steps) => {
      const lives = new Lives();
      for (const step of steps) await lives.take(step);
      for (const last of ["we die", "start"] as const) await lives.take({ do: last });
    }),
    runs(800),
  );
});
