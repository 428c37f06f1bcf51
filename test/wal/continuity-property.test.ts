import fc from "fast-check";
import { expect, test } from "vitest";
import { type Continuity, decideContinuity } from "../../src/wal/continuity.ts";
import { decodeWalHeader } from "../../src/wal/header.ts";
import { framesBefore, type LogPosition, startOf, WAL_HEADER_SIZE } from "../../src/wal/position.ts";
import { LogScanner } from "../../src/wal/scanner.ts";
import { logTail } from "../../src/wal/tail.ts";
import { runs } from "../helpers/property-runs.ts";
import { testCore } from "../helpers/sqlite/probe.ts";
import { FRAME_SIZE, type Generation, LogWorld, PAGE_SIZE } from "../helpers/wal/log-world.ts";
import { calmStep, plain, stepsOf, takeStep, worldStep } from "../helpers/wal/log-world-steps.ts";

const scanner = new LogScanner(testCore());

/** Who captures a log as the daemon does: looks, decides, scans what it may, and after a gap takes everything as it is. */
class Watcher {
  captured: readonly number[] = [];
  readonly #world: LogWorld;
  #cursor: LogPosition | undefined;
  /** Under the present pin. */
  #isRestarted = false;
  /** The pin was moved before what it lets go was captured. */
  #isAhead = false;
  /** What the world was like when the cursor was last known to be right. */
  #then: {
    readonly generation: Generation;
    readonly frames: number;
    readonly cuts: number;
    readonly losses: number;
  };

  constructor(world: LogWorld) {
    this.#world = world;
    this.#then = this.#now();
    this.#repair();
  }

  pin(): void {
    this.look();
    this.#world.pin();
    this.#isRestarted = false;
    this.#isAhead = false;
  }

  /** See pinnedAhead of capture.ts. */
  pinAhead(): void {
    if (!this.#world.isPinned) return;
    this.#world.pin();
    this.#isAhead = true;
  }

  /** What is claimed is true, and what can be proved is claimed. */
  look(): Continuity {
    const decision = this.#decide();
    const truth = this.#world.history.map(({ id }) => id);
    const claimed = this.#claim(decision);
    if (claimed !== undefined) expect(claimed, decision.kind).toEqual(truth);
    else
      expect(this.#isProvable(), `${decision.kind} ${"reason" in decision ? decision.reason : ""}`).toBe(
        false,
      );
    this.#repair();
    return decision;
  }

  #decide(): Continuity {
    const { generation, losses, isPinned, read } = this.#world;
    const header = new Uint8Array(WAL_HEADER_SIZE);
    const cursor = this.#cursor;
    // Across a loss of power what lies in the file proves nothing: frames of which SQLite lost some may be among the others.
    const isProof = cursor !== undefined && !isPinned && losses === this.#then.losses;
    return decideContinuity({
      cursor,
      pageSizeBytes: PAGE_SIZE,
      index: this.#world.index(),
      header: read(header, 0) === WAL_HEADER_SIZE ? decodeWalHeader(header) : undefined,
      pinHeld: isPinned,
      secured: !isPinned || !(this.#isAhead || (this.#isRestarted && generation !== this.#then.generation)),
      tail: isProof ? logTail(cursor, PAGE_SIZE, read) : "unknown",
      sameFile: true,
    });
  }

  /** The commits that capture ends up with; undefined: a gap. */
  #claim(decision: Continuity): readonly number[] | undefined {
    if (decision.kind === "idle") return this.captured;
    if (decision.kind !== "append" && decision.kind !== "restarted") return undefined;
    const from = decision.kind === "restarted" ? startOf(decision.header) : this.#cursor;
    const header = decodeWalHeader(this.#world.file);
    if (from === undefined || header === undefined) throw new Error("decided without a log");
    const end = WAL_HEADER_SIZE + this.#world.index().frames * FRAME_SIZE;
    const { position } = scanner.scan(
      (into, offset) => this.#world.read(into.subarray(0, Math.max(0, end - offset)), offset),
      header,
      from,
    );
    if (decision.kind === "restarted") this.#isRestarted ||= this.#world.isPinned;
    if (position.offset !== end) return undefined; // capture calls it unreadable
    return [...this.captured, ...this.#world.commitsBetween(from.offset, end)];
  }

  /** What capture.md promises to prove. */
  #isProvable(): boolean {
    const { generation, isPinned, frames: inLog } = this.#world;
    const { generation: captured, frames, cuts, losses } = this.#then;
    if (isPinned) return !this.#isAhead || (captured === generation && frames > 0);
    if (losses !== this.#world.losses || inLog === 0) return false;
    if (captured === generation) return frames > 0;
    // One restart: nothing was added before it, and it has not come as far as what was captured.
    const isNext = generation.follows === captured && generation.salt1 === captured.salt1 + 1;
    // A file that ends within the next frame's header looks as if it had been cut since (tail.ts).
    const behind = this.#world.file.length - (WAL_HEADER_SIZE + frames * FRAME_SIZE);
    const isWhole = captured.written === frames && cuts === this.#world.cuts && (behind <= 0 || behind >= 24);
    return isNext && isWhole && generation.written < frames;
  }

  /** As after a capture or a repair: all that there is was taken. */
  #repair(): void {
    this.captured = this.#world.history.map(({ id }) => id);
    this.#cursor = this.#world.end();
    this.#then = this.#now();
  }

  #now() {
    const { generation, cuts, losses } = this.#world;
    const frames = this.#cursor === undefined ? 0 : framesBefore(this.#cursor, PAGE_SIZE);
    return { generation, frames, cuts, losses };
  }
}

const calm = fc.oneof({ weight: 4, arbitrary: calmStep }, { weight: 1, arbitrary: plain("look") });
const step = fc.oneof({ weight: 12, arbitrary: worldStep }, { weight: 1, arbitrary: plain("pin ahead") });

test("whatever happens to a log: what is claimed is true, and what can be proved is claimed", () => {
  fc.assert(
    fc.property(fc.oneof(stepsOf(calm), stepsOf(step)), (steps) => {
      const world = new LogWorld();
      const watcher = new Watcher(world);
      for (const step of steps) {
        if (step.do === "look") watcher.look();
        else if (step.do === "pin") watcher.pin();
        else if (step.do === "pin ahead") watcher.pinAhead();
        else takeStep(world, step);
      }
      watcher.look();
    }),
    runs(4000),
  );
});
