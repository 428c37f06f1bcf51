import { expect, test } from "vitest";
import { type ServingFacts, walSizeOf } from "../../src/daemon/serving-facts.ts";
import { StatusBoard } from "../../src/daemon/status-board.ts";
import { WalrustError } from "../../src/errors.ts";
import { databaseSettings } from "../helpers/daemon/watched.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

const error = new WalrustError("STORAGE_NETWORK", "no route");

class Scene {
  readonly clock = new ManualClock();
  readonly board = new StatusBoard(() => databaseSettings("/data/app.db", "app"), this.clock);
  facts: ServingFacts = {
    duty: "none",
    capturedTxid: 7n,
    publishedTxid: 7n,
    publishedTimestampMs: this.clock.now() - 5000,
    unpublishedSinceMs: undefined,
    pendingBytes: 0,
    walSizeBytes: 32,
    snapshottingSinceMs: undefined,
    nextSnapshotMs: undefined,
    newestSnapshot: undefined,
  };

  serves(changes: Partial<ServingFacts> = {}): void {
    this.facts = { ...this.facts, ...changes };
    this.board.serves(() => this.facts);
  }

  /** State and lag after a second more. */
  later(ms = 1000): readonly [state: string, lagMs: number, sinceMsAgo: number] {
    this.clock.pass(ms);
    const { state, lagMs, sinceMs } = this.board.status();
    return [state, lagMs, this.clock.now() - sinceMs];
  }
}

test("before it is open nobody knows what storage lacks: the lag counts from the first look", () => {
  const scene = new Scene();
  expect(scene.later()).toEqual(["opening", 1000, 1000]);
  expect(scene.board.status()).toMatchObject({
    capturedTxid: undefined,
    publishedTxid: undefined,
    pendingBytes: 0,
  });
  scene.board.hear({ type: "sync_failed", error, attempts: 1 });
  expect(scene.later()).toEqual(["failed", 2000, 1000]);
  expect(scene.board.status().lastError).toEqual({ code: "STORAGE_NETWORK", message: "no route" });
});

test("a first copy is on its way: the lag goes on until it is there", () => {
  const scene = new Scene();
  scene.later();
  scene.serves({ duty: "snapshot", publishedTxid: undefined });
  expect(scene.later()).toEqual(["snapshotting", 2000, 1000]);
  scene.facts = { ...scene.facts, duty: "none", publishedTxid: 7n };
  scene.board.hear({ type: "snapshot", file: "f", txid: 7n, sizeBytes: 1, durationMs: 1, trigger: "first" });
  expect(scene.later()).toEqual(["serving", 0, 2000]);
  expect(scene.board.status().lastPublishedAtMs).toBe(scene.clock.now() - 1000);
});

test("while it is served the lag is the age of the oldest commit that storage lacks", () => {
  const scene = new Scene();
  scene.serves();
  expect(scene.later()).toEqual(["serving", 0, 1000]);
  scene.facts = { ...scene.facts, unpublishedSinceMs: scene.clock.monotonicMs() - 300, pendingBytes: 4120 };
  expect(scene.later()).toEqual(["serving", 1300, 2000]);
  expect(scene.board.status().pendingBytes).toBe(4120);
  scene.board.hear({ type: "sync_failed", error, attempts: 1 });
  scene.later();
  scene.board.hear({ type: "sync_failed", error, attempts: 2 });
  expect(scene.later(), "since the first failure").toEqual(["waiting", 3300, 2000]);
  scene.facts = { ...scene.facts, unpublishedSinceMs: undefined };
  scene.board.hear({ type: "recovered", afterMs: 2000 });
  expect(scene.later()).toEqual(["serving", 0, 5000]);
  expect(scene.board.status().lastError).toBeUndefined();
});

test("frames that were given up still count: until a repair has brought what they held", () => {
  const scene = new Scene();
  scene.serves();
  scene.facts = { ...scene.facts, unpublishedSinceMs: scene.clock.monotonicMs() };
  scene.clock.pass(60_000);
  scene.board.hear({ type: "shadow_full", sizeBytes: 2, limitBytes: 1 });
  scene.facts = { ...scene.facts, unpublishedSinceMs: undefined };
  scene.board.left();
  expect(scene.later()).toEqual(["opening", 61_000, 1000]);
  expect(scene.board.status(), "what is known stays").toMatchObject({
    publishedTxid: 7n,
    walSizeBytes: undefined,
  });
  scene.serves({ duty: "repair" });
  expect(scene.later()).toEqual(["repairing", 62_000, 1000]);
  scene.facts = { ...scene.facts, duty: "none" };
  expect(scene.later()[1]).toBe(0);
});

test("opened again after a gap: the lag counts from there, and older commits that wait count on", () => {
  const scene = new Scene();
  scene.serves();
  scene.later();
  scene.board.left();
  expect(scene.later()[1]).toBe(1000);
  scene.serves({ unpublishedSinceMs: scene.clock.monotonicMs() - 500 });
  scene.board.left();
  expect(scene.later()[1]).toBe(1500);
});

test("parked: storage has everything, until somebody finds that it cannot be opened", () => {
  const scene = new Scene();
  scene.serves();
  scene.board.hear({ type: "parked", txid: 7n });
  scene.board.left();
  expect(scene.later(3600_000)).toEqual(["parked", 0, 3600_000]);
  scene.board.hear({ type: "sync_failed", error, attempts: 1 });
  expect(scene.later()).toEqual(["failed", 1000, 1000]);
  scene.board.hear({ type: "recovered", afterMs: 1000 });
  scene.serves();
  expect(scene.later()).toEqual(["serving", 0, 1000]);
});

test("parked after it was left: the same", () => {
  const scene = new Scene();
  scene.serves();
  scene.board.left();
  scene.board.hear({ type: "parked", txid: 7n });
  expect(scene.later()).toEqual(["parked", 0, 1000]);
});

test.each([
  [{ type: "fenced", error }, "fenced"],
  [{ type: "closed", txid: 7n, unpublished: 0n }, "stopped"],
] as const)("%o", (event, state) => {
  const scene = new Scene();
  scene.serves();
  scene.board.hear(event);
  scene.board.left();
  expect(scene.later()[0]).toBe(state);
});

test("snapshots: the one under way, the last, and the next by the wall clock", () => {
  const scene = new Scene();
  const { clock, board } = scene;
  const newestSnapshot = { txid: 5n, takenAtMs: clock.now() - 1000 };
  scene.serves({ newestSnapshot, nextSnapshotMs: clock.monotonicMs() + 10_000 });
  clock.jump(3600_000);
  expect(board.status()).toMatchObject({
    lastSnapshot: newestSnapshot,
    nextSnapshotAtMs: clock.now() + 10_000,
  });
  scene.facts = { ...scene.facts, nextSnapshotMs: Number.NEGATIVE_INFINITY };
  expect(board.status().nextSnapshotAtMs, "asked for").toBe(clock.now());
  scene.facts = { ...scene.facts, snapshottingSinceMs: clock.monotonicMs(), nextSnapshotMs: undefined };
  expect(scene.later()).toEqual(["snapshotting", 0, 1000]);
});

test("before anything is published here, the last publication is the one that was found", () => {
  const scene = new Scene();
  scene.serves();
  expect(scene.board.status().lastPublishedAtMs).toBe(scene.facts.publishedTimestampMs);
});

test("a log that cannot be looked at has no size, and is no error", () => {
  const walSize = () => {
    throw new Error("EIO");
  };
  expect(walSizeOf({ walSize })).toBeUndefined();
});
