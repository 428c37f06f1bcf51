import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  readSegmentHeader,
  removeSegments,
  SEGMENT_HEADER_SIZE,
  Segment,
  type SegmentHeader,
  segmentPaths,
} from "../../src/shadow/segment.ts";
import { decodeWalHeader } from "../../src/wal/header.ts";
import { startOf } from "../../src/wal/position.ts";
import { LogScanner } from "../../src/wal/scanner.ts";
import { fillDisk } from "../helpers/full-disk.ts";
import { testCore } from "../helpers/sqlite/probe.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";
import { readAtOf } from "../helpers/wal/golden.ts";
import { LogBuilder } from "../helpers/wal/log-builder.ts";

const PAGE = 512;
const FRAME = 24 + PAGE;

interface Log {
  readonly bytes: Uint8Array;
  readonly header: SegmentHeader;
  readonly end: number;
}

/** A log of `commits` transactions of two frames, and the header of a segment behind the first `skipped` of them. */
function aLog({ commits = 4, skipped = 0, txidBefore = 41n } = {}): Log {
  const builder = new LogBuilder({ pageSizeBytes: PAGE, sequence: 3 });
  for (let i = 0; i < commits; i += 1) builder.commit([1, i + 2], i + 2, i + 1);
  const bytes = builder.build();
  const log = decodeWalHeader(bytes);
  if (log === undefined) throw new Error("no log");
  const from =
    skipped === 0
      ? startOf(log)
      : new LogScanner(testCore()).scan(readAtOf(bytes), log, startOf(log), { maxCommits: BigInt(skipped) })
          .position;
  return {
    bytes,
    header: { txidBefore, logHeader: bytes.subarray(0, 32), from, capturedAtMs: 1_767_000_000_123 },
    end: builder.end,
  };
}

describe("the header", () => {
  test.each([0n, 1n, 2n ** 53n + 1n, 2n ** 64n - 1n])("comes back, with TXID %s", (txidBefore) => {
    const { header } = aLog({ skipped: 2, txidBefore });
    const decoded = decodeSegmentHeader(encodeSegmentHeader(header));
    expect(decoded).toMatchObject({ txidBefore, from: header.from, capturedAtMs: header.capturedAtMs });
    expect(Buffer.compare(decoded?.logHeader ?? Buffer.alloc(0), header.logHeader)).toBe(0);
    expect(decoded?.log).toEqual(decodeWalHeader(header.logHeader));
  });

  test("every flipped byte of what is checked makes it none", () => {
    const bytes = encodeSegmentHeader(aLog().header);
    for (let at = 0; at < 84; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x40;
      expect(decodeSegmentHeader(damaged), `byte ${at}`).toBeUndefined();
    }
  });

  test("every cut makes it none", () => {
    const bytes = encodeSegmentHeader(aLog().header);
    for (let length = 0; length < SEGMENT_HEADER_SIZE; length += 1)
      expect(decodeSegmentHeader(bytes.subarray(0, length)), `${length} bytes`).toBeUndefined();
  });

  test("a log's header that is none makes it none", () => {
    const { header } = aLog();
    expect(
      decodeSegmentHeader(encodeSegmentHeader({ ...header, logHeader: new Uint8Array(32) })),
    ).toBeUndefined();
  });

  test("of a file that is missing: LOCAL_IO; that is too short: none", () => {
    const folder = tempFolder();
    expect(() => readSegmentHeader(join(folder, "no"))).toThrow(
      expect.objectContaining({ code: "LOCAL_IO" }),
    );
    writeFileSync(join(folder, "short"), "WALRUSTS");
    expect(readSegmentHeader(join(folder, "short"))).toBeUndefined();
  });
});

describe("a segment", () => {
  test.each([0, 2])("holds the frames behind %d commits under the offsets of their log", (skipped) => {
    const { bytes, header, end } = aLog({ skipped });
    const folder = tempFolder();
    const segment = Segment.write(folder, header, end, readAtOf(bytes));
    expect(segment.sizeBytes).toBe(SEGMENT_HEADER_SIZE + end - header.from.offset);
    const into = Buffer.alloc(FRAME);
    for (let at = header.from.offset; at < end; at += FRAME) {
      expect(segment.readAt(into, at)).toBe(FRAME);
      expect(into.equals(bytes.subarray(at, at + FRAME)), `frame at ${at}`).toBe(true);
    }
    expect(segment.readAt(into, end), "behind the end").toBe(0);
    const read = readSegmentHeader(segment.path);
    const scan = new LogScanner(testCore());
    const found = read && scan.scan((piece, at) => segment.readAt(piece, at), read.log, read.from);
    expect(found).toMatchObject({ commits: 4 - skipped, commitPages: 5, position: { offset: end } });
    segment.close();
    expect(segment.readAt(into, end - FRAME), "it opens again").toBe(FRAME);
    segment.discard();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("written at once and in slices: the same bytes, also over the end of a piece", async () => {
    const { bytes, header, end } = aLog({ commits: 2500 });
    expect(end).toBeGreaterThan(2 << 20);
    const [one, other] = [tempFolder(), tempFolder()];
    const now = Segment.write(one, header, end, readAtOf(bytes));
    const later = await Segment.writeInSlices(other, header, end, readAtOf(bytes));
    expect(readFileSync(now.path).equals(readFileSync(later.path))).toBe(true);
    expect(readFileSync(now.path).subarray(SEGMENT_HEADER_SIZE).equals(bytes.subarray(32, end))).toBe(true);
    expect(now.sizeBytes).toBe(later.sizeBytes);
  });

  test("lets others run between slices", async () => {
    const { bytes, header, end } = aLog({ commits: 2500 });
    let turns = 0;
    const turn = () => {
      turns += 1;
      timer = setImmediate(turn);
    };
    let timer = setImmediate(turn);
    await Segment.writeInSlices(tempFolder(), header, end, readAtOf(bytes));
    clearImmediate(timer);
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  test.each([1, FRAME - 1, FRAME, FRAME + 30, 2 * FRAME])(
    "cut by %d bytes: whole transactions stay",
    (cut) => {
      const { bytes, header, end } = aLog();
      const segment = Segment.write(tempFolder(), header, end, readAtOf(bytes));
      truncateSync(segment.path, segment.sizeBytes - cut);
      const read = readSegmentHeader(segment.path);
      const scan = new LogScanner(testCore());
      const found = read && scan.scan((piece, at) => segment.readAt(piece, at), read.log, read.from);
      expect(found?.commits).toBe(3);
    },
  );

  test.each([
    ["0 bytes are left", 0],
    ["half a header is left", 40],
    ["nothing but the header is left", SEGMENT_HEADER_SIZE],
  ])("%s: nothing to recover", (_, length) => {
    const { bytes, header, end } = aLog();
    const segment = Segment.write(tempFolder(), header, end, readAtOf(bytes));
    truncateSync(segment.path, length);
    const read = readSegmentHeader(segment.path);
    expect(read === undefined).toBe(length < SEGMENT_HEADER_SIZE);
    expect(segment.readAt(Buffer.alloc(FRAME), 32)).toBe(0);
  });
});

test("several behind one TXID, of logs that begin alike: none takes the place of another, and they stay in order", () => {
  const { bytes, header, end } = aLog();
  const folder = tempFolder();
  const segments = [1, 2, 3].map(() => Segment.write(folder, header, end, readAtOf(bytes)));
  expect(segmentPaths(folder)).toEqual(segments.map(({ path }) => path));
  segments[2]?.discard();
  segments[1]?.discard();
  segments.push(Segment.write(folder, header, end, readAtOf(bytes)));
  expect(segmentPaths(folder)).toEqual([segments[0]?.path, segments[3]?.path]);
});

describe("what cannot be written", () => {
  const writers: readonly (readonly [string, typeof Segment.writeInSlices])[] = [
    ["at once", async (...args) => Segment.write(...args)],
    ["in slices", (...args) => Segment.writeInSlices(...args)],
  ];

  test.each(writers)("%s, a full disk: LOCAL_DISK_FULL, and nothing stays behind", async (_, write) => {
    const { bytes, header, end } = aLog();
    const folder = tempFolder();
    fillDisk();
    await expect(write(folder, header, end, readAtOf(bytes))).rejects.toMatchObject({
      code: "LOCAL_DISK_FULL",
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each(writers)("%s, no folder: LOCAL_IO", async (_, write) => {
    const { bytes, header, end } = aLog();
    const folder = join(tempFolder(), "gone", "segments");
    await expect(write(folder, header, end, readAtOf(bytes))).rejects.toMatchObject({ code: "LOCAL_IO" });
    expect(existsSync(folder)).toBe(false);
  });

  test.each(writers)(
    "%s, a log that ends too early: LOCAL_IO, and nothing stays behind",
    async (_, write) => {
      const { bytes, header, end } = aLog();
      const folder = tempFolder();
      const short = readAtOf(bytes.subarray(0, end - 1));
      await expect(write(folder, header, end, short)).rejects.toMatchObject({ code: "LOCAL_IO" });
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test.each(writers)(
    "%s, a log that cannot be read: its error, and nothing stays behind",
    async (_, write) => {
      const { header, end } = aLog();
      const folder = tempFolder();
      const broken = () => {
        throw new Error("EIO");
      };
      await expect(write(folder, header, end, broken)).rejects.toMatchObject({ code: "LOCAL_IO" });
      expect(readdirSync(folder)).toEqual([]);
    },
  );
});

describe("the folder", () => {
  test("lists segments by their TXIDs, as numbers", async () => {
    const folder = tempFolder();
    const txids = [9n, 10n, 100n, 2n ** 53n + 1n, 2n ** 64n - 1n];
    const written = txids.map((txidBefore) => {
      const { bytes, header, end } = aLog({ txidBefore });
      return Segment.write(folder, header, end, readAtOf(bytes)).path;
    });
    expect(segmentPaths(folder)).toEqual(written);
    await removeSegments(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("that is not there holds none, and is made for the first one", async () => {
    const { bytes, header, end } = aLog();
    const folder = join(tempFolder(), "segments");
    expect(segmentPaths(folder)).toEqual([]);
    await removeSegments(folder);
    expect(existsSync(folder)).toBe(false);
    const { path } = Segment.write(folder, header, end, readAtOf(bytes));
    expect(segmentPaths(folder)).toEqual([path]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  test("that is none: LOCAL_IO", () => {
    const file = join(tempFolder(), "file");
    writeFileSync(file, "");
    expect(() => segmentPaths(file)).toThrow(expect.objectContaining({ code: "LOCAL_IO" }));
  });
});
