import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { barrierHandover, optimisticHandover } from "../../src/sqlite/handover.ts";
import {
  committedSize,
  decodeWalIndex,
  isUnchanged,
  standing,
  WAL_INDEX_SIZE,
} from "../../src/sqlite/wal-index.ts";
import { type LogPosition, startOf } from "../../src/wal/position.ts";
import { LogScanner } from "../../src/wal/scanner.ts";
import { leaveDeadCommit } from "../helpers/sqlite/dead-commit.ts";
import { logHeader, openLink, Probe, settledIndex, testCore } from "../helpers/sqlite/probe.ts";
import { checkpoint, insert, tempDatabase, tempFolder } from "../helpers/sqlite/temp-database.ts";
import { startWriter } from "../helpers/writers/start-writer.ts";

const BARRIER = { tries: 10, maxHeldMs: 1000, maxFrames: 10_000 };

/** The -shm of a database with a commit in its log, closed by then. */
function shmBytes(): Buffer {
  const app = tempDatabase();
  insert(app);
  const path = `${app.name}-shm`;
  const child = readFileSync(path); // no link is open here, and the locks of `app` are not missed
  return child.subarray(0, WAL_INDEX_SIZE);
}

describe("decodeWalIndex", () => {
  test("agrees with the log for every page size", () => {
    for (let pageSize = 512; pageSize <= 65536; pageSize *= 2) {
      const app = tempDatabase({ pageSize });
      const link = openLink(app.name);
      link.pin();
      insert(app, 5);
      const index = settledIndex(link);
      const header = logHeader(link);
      expect(committedSize(index, pageSize)).toBe(link.walSize());
      expect([index.salt1, index.salt2]).toEqual([header?.salt1, header?.salt2]);
      expect(index.commitPages).toBe(app.pragma("page_count", { simple: true }));
      expect(index.backfilledFrames).toBe(0);
      expect(standing(scanAll(link), index, pageSize)).toBe("equal");
    }
  });

  const corruptions: readonly (readonly [name: string, corrupt: (bytes: Buffer) => Buffer])[] = [
    ["short", (bytes) => bytes.subarray(0, WAL_INDEX_SIZE - 1)],
    ["the copies differ", (bytes) => set(bytes, 48 + 16)],
    ["both copies changed alike", (bytes) => set(set(bytes, 16), 48 + 16)],
    ["another version", (bytes) => set(set(bytes, 0), 48)],
    ["not initialised", (bytes) => set(set(bytes, 12), 48 + 12)],
    ["zeroed", (bytes) => bytes.fill(0)],
  ];
  test.each(corruptions)("%s: not settled", (_, corrupt) => {
    const bytes = shmBytes();
    expect(decodeWalIndex(bytes)).toBeDefined();
    expect(decodeWalIndex(corrupt(Buffer.from(bytes)))).toBeUndefined();
  });
});

describe("standing", () => {
  const index = {
    changeCounter: 9,
    frames: 3,
    backfilledFrames: 0,
    commitPages: 7,
    salt1: 1,
    salt2: 2,
    checksum1: 5,
    checksum2: 6,
  };
  const at = (frames: number, fields: Partial<LogPosition> = {}): LogPosition => ({
    sequence: 0,
    salt1: 1,
    salt2: 2,
    offset: 32 + frames * (24 + 512),
    checksum1: 5,
    checksum2: 6,
    ...fields,
  });
  test.each([
    ["at the end", at(3), index, "equal"],
    ["before it", at(2), index, "behind"],
    ["behind it", at(4), index, "astray"],
    ["same offset, other history", at(3, { checksum2: 7 }), index, "astray"],
    ["another generation", at(3, { salt2: 9 }), index, "restarted"],
    ["no log captured", undefined, index, "behind"],
    ["nothing in the log", at(3, { salt1: 9 }), { ...index, frames: 0 }, "equal"],
    ["nothing in the log, nothing captured", undefined, { ...index, frames: 0 }, "equal"],
    ["nothing in the log, but captured", at(1), { ...index, frames: 0 }, "astray"],
  ] as const)("%s", (_, position, facts, expected) => {
    expect(standing(position, facts, 512)).toBe(expected);
  });
});

describe("a commit that died between the log and the wal-index", () => {
  test("looks committed in the log's file, is not, and is overwritten by the next writer", () => {
    const app = tempDatabase();
    insert(app);
    const link = openLink(app.name);
    link.pin();
    const before = settledIndex(link);
    leaveDeadCommit(app.name, (twin) => insert(twin, 200));

    const believed = scanAll(link);
    expect(believed.offset, "the checksums hold").toBeGreaterThan(committedSize(before, 4096));
    expect(isUnchanged(settledIndex(link), before)).toBe(true);
    expect(standing(believed, settledIndex(link), 4096)).toBe("astray");

    // Shorter than the dead one: whoever went behind it sees no frame that continues it, and takes the database for idle.
    insert(app);
    const scan = new LogScanner(testCore()).scan(link.readWal, headerOf(link), believed);
    expect(scan.commits).toBe(0);
    expect(settledIndex(link).frames).toBeGreaterThan(before.frames);
  });

  test("a handover refuses what was captured beyond the wal-index, and keeps its pin", () => {
    const app = tempDatabase();
    insert(app);
    const link = openLink(app.name);
    link.pin();
    leaveDeadCommit(app.name, (twin) => insert(twin, 50));
    const drain = () => scanAll(link);
    expect(optimisticHandover(link, drain)).toMatchObject({ kind: "busy" });
    expect(barrierHandover(link, drain, BARRIER)).toMatchObject({ kind: "gap", reason: "astray" });
    insert(app, 300);
    expect(checkpoint(app, "RESTART")[0], "still pinned").toBe(1);
  });

  test("capture that follows the wal-index is not led astray by a writer killed in its commits", async () => {
    const database = `${tempFolder()}/app.db`;
    let writer = await startWriter({ database, rate: 200, synchronous: "FULL" });
    const link = openLink(database);
    link.pin();
    const probe = Probe.begin(link);
    for (let kills = 0; kills < 6; kills++) {
      await writer.kill();
      probe.drain();
      expect(probe.contents().equals(probe.live())).toBe(true);
      writer = await startWriter({ database, synchronous: "FULL" });
    }
    await writer.stop();
    probe.drain();
    expect(probe.contents().equals(probe.live())).toBe(true);
  });
});

function headerOf(link: ReturnType<typeof openLink>) {
  const header = logHeader(link);
  if (header === undefined) throw new Error("no log");
  return header;
}

/** As whoever believes the log's file alone. */
function scanAll(link: ReturnType<typeof openLink>): LogPosition {
  const header = headerOf(link);
  return new LogScanner(testCore()).scan(link.readWal, header, startOf(header)).position;
}

function set(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}
