import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeWalHeader, type WalHeader } from "../../src/wal/header.ts";
import { type LogPosition, startOf } from "../../src/wal/position.ts";
import { LogScanner, type ScanLimits, type ScanResult } from "../../src/wal/scanner.ts";
import { Core, compileCore } from "../../src/wasm/core.ts";
import { INPUT_SIZE } from "../../src/wasm/layout.ts";
import { goldenLog, goldenLogs, readAtOf } from "../helpers/wal/golden.ts";
import { LogBuilder } from "../helpers/wal/log-builder.ts";
import { readLog } from "../helpers/wal/twin.ts";

const scanner = new LogScanner(new Core(compileCore()));

function headerOf(log: Uint8Array): WalHeader {
  const header = decodeWalHeader(log);
  if (header === undefined) throw new Error("no log");
  return header;
}

function scanAll(log: Uint8Array, from?: LogPosition, limits?: ScanLimits): ScanResult {
  const header = headerOf(log);
  return scanner.scan(readAtOf(log), header, from ?? startOf(header), limits);
}

/** What the twin finds, as a scan result. */
function expected(log: Uint8Array): ScanResult {
  const header = headerOf(log);
  const transactions = readLog(log)?.transactions ?? [];
  const last = transactions.at(-1);
  return {
    position: last
      ? {
          ...startOf(header),
          offset: last.endOffset,
          checksum1: last.checksum[0],
          checksum2: last.checksum[1],
        }
      : startOf(header),
    commits: transactions.length,
    commitPages: last?.commitPages ?? 0,
    frames: transactions.reduce((sum, { pgnos }) => sum + pgnos.length, 0),
    reachedEnd: true,
  };
}

describe("logs that SQLite wrote", () => {
  const logs = goldenLogs().filter(({ facts }) => facts.header !== null);

  test.each(logs)("$name at once", ({ facts, log }) => {
    const last = facts.transactions.at(-1);
    const result = scanAll(log);
    expect(result).toMatchObject({
      commits: facts.transactions.length,
      commitPages: last?.db_pages ?? 0,
      frames: facts.last_commit_frame,
      reachedEnd: true,
    });
    expect(result.position.offset).toBe(last?.end_offset ?? 32);
    if (last) expect([result.position.checksum1, result.position.checksum2]).toEqual(last.running_checksum);
  });

  test.each(logs)("$name, one transaction after the other", ({ facts, log }) => {
    let position = startOf(headerOf(log));
    for (const transaction of facts.transactions) {
      const result = scanAll(log, position, { maxCommits: 1n });
      expect(result).toMatchObject({
        commits: 1,
        commitPages: transaction.db_pages,
        frames: transaction.frame_pgnos.length,
        reachedEnd: false,
      });
      expect(result.position.offset).toBe(transaction.end_offset);
      position = result.position;
    }
    expect(scanAll(log, position)).toEqual({
      position,
      commits: 0,
      commitPages: 0,
      frames: 0,
      reachedEnd: true,
    });
  });
});

describe.each(["p512-clean", "p512-big-endian"])("%s, damaged", (name) => {
  const { log, facts } = goldenLog(name);
  const commitsBefore = (offset: number) =>
    facts.transactions.filter(({ end_offset }) => end_offset <= offset).length;

  test("a flipped byte anywhere ends the log before its transaction", () => {
    for (let at = 32; at < log.length; at++) {
      const flipped = log.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 0x40;
      expect(scanAll(flipped).commits, `byte ${at}`).toBe(commitsBefore(at));
    }
  });

  test("a cut anywhere leaves whole transactions only", () => {
    for (let length = 32; length < log.length; length++) {
      const result = scanAll(log.subarray(0, length));
      expect(result.commits, `${length} bytes`).toBe(commitsBefore(length));
      expect(result.position.offset).toBeLessThanOrEqual(length);
    }
  });

  test("frames with the salts of the log and an older checksum do not count", () => {
    const frameSize = 24 + 512;
    for (let frame = 0; frame < 11; frame++) {
      const repeated = log.slice();
      const at = 32 + frame * frameSize;
      repeated.copyWithin(at + frameSize, at, at + frameSize);
      expect(scanAll(repeated)).toEqual(expected(repeated));
    }
  });
});

test("a limit of no commits finds none", () => {
  const { log } = goldenLog("p512-clean");
  expect(scanAll(log, undefined, { maxCommits: 0n })).toMatchObject({
    commits: 0,
    frames: 0,
    reachedEnd: false,
  });
});

test("a page number of 0 ends the log, as in SQLite", () => {
  const log = new LogBuilder({ pageSizeBytes: 512 }).commit([1, 2], 2).commit([0], 2).commit([1], 2).build();
  expect(scanAll(log)).toMatchObject({ commits: 1, frames: 2, reachedEnd: true });
});

describe("random logs, against the twin", () => {
  const transactions = fc.array(
    fc.record({
      pgnos: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }),
      commitPages: fc.integer({ min: 1, max: 40 }),
      committed: fc.boolean(),
    }),
    { maxLength: 12 },
  );
  const logs = fc
    .record({
      pageSizeBytes: fc.constantFrom(512, 1024, 4096),
      bigEndian: fc.boolean(),
      before: transactions,
      now: transactions,
      cut: fc.option(fc.nat(60_000)),
      flip: fc.option(fc.nat(60_000)),
    })
    .map(({ pageSizeBytes, bigEndian, before, now, cut, flip }) => {
      const write = (builder: LogBuilder, list: typeof before) => {
        for (const { pgnos, commitPages, committed } of list)
          builder.commit(pgnos, committed ? commitPages : 0);
        return builder.build();
      };
      const over = write(new LogBuilder({ pageSizeBytes, bigEndian }), before);
      let log = write(
        new LogBuilder({ pageSizeBytes, bigEndian, sequence: 1, salt1: 0x1235, salt2: 77, over }),
        now,
      );
      if (cut !== null) log = log.subarray(0, Math.max(32, cut));
      if (flip !== null && flip >= 32 && flip < log.length) log[flip] = (log[flip] ?? 0) ^ 1;
      return log;
    });

  test("restarted, torn, rolled back, flipped", () => {
    fc.assert(
      fc.property(logs, (log) => {
        expect(scanAll(log)).toEqual(expected(log));
      }),
    );
  });

  test("any sequence of limited scans comes to the same", () => {
    const limits = fc.oneof(
      fc.record({ maxCommits: fc.bigInt({ min: 1n, max: 4n }) }),
      fc.record({ maxBytes: fc.nat(20_000) }),
      fc.record({ maxCommits: fc.bigInt({ min: 1n, max: 4n }), maxBytes: fc.nat(20_000) }),
    );
    fc.assert(
      fc.property(logs, fc.infiniteStream(limits), (log, stream) => {
        let position = startOf(headerOf(log));
        let [commits, commitPages, frames] = [0, 0, 0];
        for (const limit of stream) {
          const result = scanAll(log, position, limit);
          const taken = result.position.offset - position.offset;
          if (result.commits > 1 && "maxBytes" in limit) expect(taken).toBeLessThanOrEqual(limit.maxBytes);
          if ("maxCommits" in limit) expect(BigInt(result.commits)).toBeLessThanOrEqual(limit.maxCommits);
          if (!result.reachedEnd) expect(result.commits).toBeGreaterThan(0);
          commits += result.commits;
          frames += result.frames;
          if (result.commits > 0) commitPages = result.commitPages;
          position = result.position;
          if (result.reachedEnd) break;
        }
        expect({ position, commits, commitPages, frames, reachedEnd: true }).toEqual(expected(log));
      }),
    );
  });
});

describe("a transaction larger than memory", () => {
  const frames = 1500;
  const pgnos = Array.from({ length: frames }, (_, i) => i + 1);
  const log = new LogBuilder({ pageSizeBytes: 4096 }).commit([1], 1).commit(pgnos, frames).build();

  test("is scanned in slices of bounded reads", () => {
    const header = headerOf(log);
    const sizes: number[] = [];
    const read = readAtOf(log);
    const counting = (into: Uint8Array, offset: number) => {
      sizes.push(into.length);
      return read(into, offset);
    };
    const scan = scanner.begin(counting, header, startOf(header));
    let steps = 1;
    let result = scan.step();
    for (; result === undefined; result = scan.step()) steps += 1;
    expect(result).toEqual(expected(log));
    expect(steps).toBeGreaterThan(5);
    expect(sizes).toHaveLength(steps);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(INPUT_SIZE);
  });

  test("is left for the next scan by a limit, and then taken whole", () => {
    const first = scanAll(log, undefined, { maxBytes: 100_000 });
    expect(first).toMatchObject({ commits: 1, frames: 1, reachedEnd: false });
    const second = scanAll(log, first.position, { maxBytes: 100_000 });
    expect(second).toMatchObject({ commits: 1, frames, commitPages: frames });
  });

  test("that is written over between two slices (a spilled page, rewritten in place) ends the scan at the last commit", () => {
    const live = log.slice();
    const header = headerOf(live);
    const scan = scanner.begin(readAtOf(live), header, startOf(header));
    expect(scan.step()).toBeUndefined();
    const rewritten = 32 + 4120 * 5;
    const renewed = new LogBuilder({ pageSizeBytes: 4096 }).commit([1], 1);
    pgnos.forEach((pgno, i) => {
      renewed.frame(pgno, i === frames - 1 ? frames : 0, i === 4 ? 99 : pgno);
    });
    live.set(renewed.build().subarray(rewritten), rewritten);
    let result = scan.step();
    while (result === undefined) result = scan.step();
    expect(result).toMatchObject({ commits: 1, frames: 1, reachedEnd: true });
    expect(scanAll(live, result.position)).toMatchObject({ commits: 1, frames, commitPages: frames });
  });
});

test("a few new frames in a log full of old ones cost one small read", () => {
  const old = new LogBuilder({ pageSizeBytes: 4096 })
    .commit(
      Array.from({ length: 1000 }, () => 1),
      1,
    )
    .build();
  const log = new LogBuilder({ pageSizeBytes: 4096, sequence: 1, salt1: 1, over: old })
    .commit([1, 2], 2)
    .build();
  const header = headerOf(log);
  const sizes: number[] = [];
  const read = readAtOf(log);
  scanner.scan(
    (into, offset) => {
      sizes.push(into.length);
      return read(into, offset);
    },
    header,
    startOf(header),
  );
  expect(sizes).toHaveLength(1);
  expect(sizes[0]).toBeLessThanOrEqual(65536);
});

test("a position of another log is our own mistake", () => {
  const { log } = goldenLog("p512-clean");
  const other = { ...startOf(headerOf(log)), salt2: 1 };
  expect(() => scanAll(log, other)).toThrowError(expect.objectContaining({ code: "INTERNAL" }));
});
