import { mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { frameCount, lastTxid, PendingFrames, readRun } from "../../src/replication/pending-frames.ts";
import { readSegmentHeader } from "../../src/shadow/segment.ts";
import { GrowingLog, PAGE_SIZE } from "../helpers/replication/frame-runs.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const FRAME = 24 + PAGE_SIZE;

/** TXIDs as `before+commits`, with where the frames lie. */
const tell = (pending: PendingFrames) =>
  pending.runs.map((run) => `${run.txidBefore}+${run.commits} ${run.source.kind}`);

describe("append", () => {
  test("joins what continues the last run, and no other generation", () => {
    const pending = new PendingFrames();
    const log = new GrowingLog();
    pending.append(log.run(4n, [[1], [2, 3]]));
    pending.append(log.run(6n, [[1, 2, 3]], 12));
    const next = new GrowingLog({ sequence: 1, salt1: 0x1235 });
    pending.append(next.run(7n, [[1]]));
    expect(tell(pending)).toEqual(["4+3 log", "7+1 log"]);
    const [first] = pending.runs;
    expect(first).toMatchObject({ commitPages: 12, capturedAtMs: 1006, waitingSinceMs: 4 });
    expect(first && frameCount(first)).toBe(6);
    expect(first && lastTxid(first)).toBe(7n);
    expect(pending.bytes).toBe(7 * FRAME);
    expect(pending.oldestWaitingSinceMs).toBe(4);
  });

  test("nothing: empty", () => {
    const pending = new PendingFrames();
    expect(pending.isEmpty).toBe(true);
    expect(pending.seal()).toEqual([]);
    expect(pending.oldestWaitingSinceMs).toBeUndefined();
    expect(pending.isSecured).toBe(true);
    pending.settle();
    pending.secure("/no/such/folder");
  });
});

describe("seal", () => {
  test("what is sealed stays, whatever is captured meanwhile", () => {
    const pending = new PendingFrames();
    const log = new GrowingLog();
    pending.append(log.run(0n, [[1]]));
    const sealed = pending.seal();
    const to = sealed[0]?.to;
    pending.append(log.run(1n, [[2]]));
    pending.append(log.run(2n, [[3]]));
    expect(pending.seal()).toBe(sealed);
    expect(pending.seal()[0]?.to).toEqual(to);
    expect(tell(pending)).toEqual(["0+1 log", "1+2 log"]);
    pending.settle();
    expect(pending.seal().map((run) => run.txidBefore)).toEqual([1n]);
  });

  test("not more than 128 runs at once, in order", () => {
    const pending = new PendingFrames();
    for (let i = 0n; i < 300n; i += 1n)
      pending.append(new GrowingLog({ sequence: Number(i), salt1: Number(i) }).run(i, [[1]]));
    const sizes: number[] = [];
    let expected = 0n;
    while (!pending.isEmpty) {
      const sealed = pending.seal();
      sizes.push(sealed.length);
      for (const run of sealed) {
        expect(run.txidBefore).toBe(expected);
        expected += run.commits;
      }
      pending.settle();
    }
    expect(sizes).toEqual([128, 128, 44]);
  });
});

describe("cut", () => {
  test("no publication reaches over it", () => {
    const pending = new PendingFrames();
    const log = new GrowingLog();
    pending.append(log.run(0n, [[1], [2]]));
    pending.cut();
    pending.append(log.run(2n, [[3]]));
    expect(tell(pending)).toEqual(["0+2 log", "2+1 log"]);
    expect(pending.seal().map(lastTxid)).toEqual([2n]);
    pending.settle();
    expect(pending.seal().map(lastTxid)).toEqual([3n]);
  });

  test("with something sealed, and runs of two generations before it", () => {
    const pending = new PendingFrames();
    const log = new GrowingLog();
    pending.append(log.run(0n, [[1]]));
    pending.seal();
    pending.append(log.run(1n, [[1]]));
    const next = new GrowingLog({ sequence: 1, salt1: 9 });
    pending.append(next.run(2n, [[1]]));
    pending.cut();
    pending.append(next.run(3n, [[1]]));
    pending.settle();
    expect(pending.seal().map(lastTxid)).toEqual([2n, 3n]);
    pending.settle();
    expect(pending.seal().map(lastTxid)).toEqual([4n]);
    pending.append(next.run(4n, [[1]]));
    pending.settle();
    pending.append(next.run(5n, [[1]]));
    expect(tell(pending), "the cut is behind us").toEqual(["4+2 log"]);
  });

  test("with nothing to cut: no cut", () => {
    const pending = new PendingFrames();
    const log = new GrowingLog();
    pending.cut();
    pending.append(log.run(0n, [[1]]));
    pending.append(log.run(1n, [[1]]));
    expect(pending.seal().map(lastTxid)).toEqual([2n]);
  });
});

describe("secure", () => {
  test("what lies in the log moves into one segment, and reads the same", () => {
    const pending = new PendingFrames();
    const folder = tempFolder();
    const log = new GrowingLog();
    pending.append(log.run(5n, [[1], [2]]));
    pending.seal();
    pending.append(log.run(7n, [[3, 4]]));
    const before = pending.runs.map((run) => framesOf(run));
    expect(pending.isSecured).toBe(false);
    pending.secure(folder);
    log.bytes = new Uint8Array(32); // SQLite overwrites it
    expect(tell(pending)).toEqual(["5+2 segment", "7+1 segment"]);
    expect(pending.isSecured).toBe(true);
    expect(pending.runs.map((run) => framesOf(run))).toEqual(before);
    expect(readdirSync(folder)).toHaveLength(1);
    expect(pending.segmentBytes).toBe(88 + 4 * FRAME);
    const [name = ""] = readdirSync(folder);
    expect(readSegmentHeader(join(folder, name))).toMatchObject({ txidBefore: 5n, capturedAtMs: 1007 });
    pending.secure(folder);
    expect(readdirSync(folder), "once").toHaveLength(1);
  });

  test("segments go when nothing needs them any more, and not before", () => {
    const pending = new PendingFrames();
    const folder = tempFolder();
    const log = new GrowingLog();
    pending.append(log.run(0n, [[1]]));
    pending.seal();
    pending.append(log.run(1n, [[1]]));
    pending.secure(folder); // one segment for both
    pending.append(log.run(2n, [[1]]));
    pending.secure(folder);
    expect(readdirSync(folder)).toHaveLength(2);
    pending.settle();
    expect(readdirSync(folder), "the second half of the first is not published").toHaveLength(2);
    pending.seal();
    expect(pending.sealed.map(lastTxid)).toEqual([2n, 3n]);
    pending.settle();
    expect(readdirSync(folder)).toEqual([]);
    expect(pending.segmentBytes).toBe(0);
  });

  test("a segment that cannot be deleted hinders nothing, and goes the next time", () => {
    const pending = new PendingFrames();
    const folder = tempFolder();
    const log = new GrowingLog();
    pending.append(log.run(0n, [[1]]));
    pending.secure(folder);
    const [name = ""] = readdirSync(folder);
    rmSync(join(folder, name));
    mkdirSync(join(folder, name)); // which no file can be deleted as
    pending.seal();
    pending.settle();
    expect([pending.isEmpty, pending.segmentBytes > 0]).toEqual([true, true]);
    rmdirSync(join(folder, name));
    pending.settle();
    expect(pending.segmentBytes).toBe(0);
  });

  test("in slices, with appends meanwhile: they stay in the log, and follow", async () => {
    const pending = new PendingFrames();
    const folder = tempFolder();
    const log = new GrowingLog();
    pending.append(log.run(0n, [[1], [2]]));
    const securing = pending.secureInSlices(folder);
    pending.append(log.run(2n, [[3]]));
    await securing;
    expect(tell(pending)).toEqual(["0+2 segment", "2+1 log"]);
    pending.append(log.run(3n, [[4]]));
    expect(tell(pending), "joined again afterwards").toEqual(["0+2 segment", "2+2 log"]);
    pending.secure(folder);
    expect(readdirSync(folder)).toHaveLength(2);
    expect(pending.seal().map(lastTxid)).toEqual([2n, 4n]);
  });

  test("in slices, with a publication settled meanwhile: nothing is left behind for good", async () => {
    const pending = new PendingFrames();
    const folder = tempFolder();
    const log = new GrowingLog();
    pending.append(log.run(0n, [[1]]));
    pending.seal();
    const securing = pending.secureInSlices(folder);
    pending.settle();
    await securing;
    pending.append(log.run(1n, [[1]]));
    pending.seal();
    pending.settle();
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ["at once", async (pending: PendingFrames) => pending.secure("/no/such/folder")],
    ["in slices", (pending: PendingFrames) => pending.secureInSlices("/no/such/folder")],
  ])("that fails (%s): all is as before", async (_, secure) => {
    const pending = new PendingFrames();
    const log = new GrowingLog();
    pending.append(log.run(0n, [[1]]));
    await expect(secure(pending)).rejects.toMatchObject({ code: "LOCAL_IO" });
    expect(tell(pending)).toEqual(["0+1 log"]);
    expect(pending.segmentBytes).toBe(0);
    pending.append(log.run(1n, [[1]]));
    expect(tell(pending), "it can grow again").toEqual(["0+2 log"]);
  });
});

test("renumber: the runs follow another TXID", () => {
  const pending = new PendingFrames();
  pending.append(new GrowingLog().run(9n, [[1], [2]]));
  pending.append(new GrowingLog({ sequence: 1, salt1: 7 }).run(11n, [[1]]));
  expect(pending.renumber(3n)).toBe(6n);
  expect(tell(pending)).toEqual(["3+2 log", "5+1 log"]);
  expect(new PendingFrames().renumber(8n)).toBe(8n);
});

test("drop forgets all, sealed and cut too, and deletes the segments", () => {
  const pending = new PendingFrames();
  const folder = tempFolder();
  const log = new GrowingLog();
  pending.append(log.run(0n, [[1]]));
  pending.seal();
  pending.append(log.run(1n, [[1]]));
  pending.cut();
  pending.secure(folder);
  pending.drop();
  expect(pending.isEmpty).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
  pending.append(log.run(0n, [[1]]));
  pending.append(log.run(1n, [[1]]));
  expect(tell(pending)).toEqual(["0+2 log"]);
});

test("close keeps the segments for the next start", () => {
  const pending = new PendingFrames();
  const folder = tempFolder();
  pending.append(new GrowingLog().run(0n, [[1]]));
  pending.secure(folder);
  pending.runs.map((run) => framesOf(run));
  pending.close();
  expect(readdirSync(folder)).toHaveLength(1);
});

function framesOf(run: Parameters<typeof readRun>[0]): string {
  const bytes = Buffer.alloc(run.to.offset - run.from.offset);
  expect(readRun(run, bytes, run.from.offset)).toBe(bytes.length);
  return bytes.toString("hex");
}

describe("where a publication has one TXID", () => {
  const rising = () => {
    let sequence = 0;
    return (txidBefore: bigint, commits = 1) => {
      sequence += 1;
      return new GrowingLog({ sequence, salt1: sequence }).run(txidBefore, Array(commits).fill([1]));
    };
  };

  test("all that is captured until then has it, whatever log it lies in", () => {
    const pending = new PendingFrames("publication");
    const next = rising();
    expect(pending.append(next(7n, 3))).toBe(8n);
    expect(pending.append(next(8n, 2))).toBe(8n);
    expect(tell(pending)).toEqual(["7+1 log", "7+1 log"]);
    expect(pending.seal()).toHaveLength(2);
    expect(pending.append(next(8n))).toBe(9n);
    pending.settle();
    expect(pending.seal().map(lastTxid)).toEqual([9n]);
  });

  test("joined runs have it too", () => {
    const pending = new PendingFrames("publication");
    const log = new GrowingLog();
    pending.append(log.run(7n, [[1], [2]]));
    expect(pending.append(log.run(8n, [[3]]))).toBe(8n);
    expect(tell(pending)).toEqual(["7+1 log"]);
    expect(pending.runs.map(frameCount)).toEqual([3]);
  });

  test("behind a cut the next one begins", () => {
    const pending = new PendingFrames("publication");
    const next = rising();
    pending.append(next(0n));
    pending.cut();
    expect(pending.append(next(1n))).toBe(2n);
    expect(pending.append(next(2n))).toBe(2n);
    expect(pending.seal().map(lastTxid)).toEqual([1n]);
    pending.settle();
    expect(pending.seal().map(lastTxid)).toEqual([2n, 2n]);
  });

  test("no more runs have it than one publication reads", () => {
    const pending = new PendingFrames("publication");
    const next = rising();
    let txid = 0n;
    for (let i = 0; i < 300; i += 1) txid = pending.append(next(txid));
    expect(txid).toBe(3n);
    const sizes: number[] = [];
    while (!pending.isEmpty) {
      sizes.push(pending.seal().length);
      pending.settle();
    }
    expect(sizes).toEqual([128, 128, 44]);
  });

  test("but the last of them may grow", () => {
    const pending = new PendingFrames("publication");
    const next = rising();
    let txid = 0n;
    for (let i = 0; i < 127; i += 1) txid = pending.append(next(txid));
    const log = new GrowingLog({ sequence: 1000, salt1: 1000 });
    for (let i = 0; i < 3; i += 1) expect(pending.append(log.run(txid, [[1]]))).toBe(1n);
    expect(pending.seal()).toHaveLength(128);
  });

  test("renumbered together", () => {
    const pending = new PendingFrames("publication");
    const next = rising();
    pending.append(next(5n));
    pending.append(next(6n));
    pending.cut();
    pending.append(next(6n));
    expect(pending.renumber(4n)).toBe(6n);
    expect(tell(pending)).toEqual(["4+1 log", "4+1 log", "5+1 log"]);
  });
});
