import assert from "node:assert/strict";
import { committedSize, decodeWalIndex, standing } from "../../../src/sqlite/wal-index.ts";
import { decodeWalHeader } from "../../../src/wal/header.ts";
import { PageMap } from "../../../src/wal/page-map.ts";
import { startOf } from "../../../src/wal/position.ts";
import { LogScanner } from "../../../src/wal/scanner.ts";
import { logTail } from "../../../src/wal/tail.ts";
import { Core, compileCore } from "../../../src/wasm/core.ts";
import { goldenLogs, readAtOf } from "../../helpers/wal/golden.ts";
import { LogBuilder } from "../../helpers/wal/log-builder.ts";
import { readLog, runningChecksum, type TwinLog } from "../../helpers/wal/twin.ts";
import type { Target } from "../target.ts";
import { repairLog, repairLogHeader, repairWalIndex } from "../twins/wal.ts";

const core = new Core(compileCore());
const scanner = new LogScanner(core);
const map = new PageMap(core);

const smallLogs = () =>
  goldenLogs()
    .filter(({ facts }) => facts.page_size <= 1024)
    .map(({ log }) => log);
const builtLogs = () =>
  [false, true].map((bigEndian) =>
    new LogBuilder({ pageSizeBytes: 512, bigEndian }).commit([1, 2, 3], 3).commit([2], 3).frame(4).build(),
  );

const walHeader: Target = {
  name: "wal-header",
  holds: "a header exactly where the twin finds one",
  input: "bytes",
  seeds: () => smallLogs().map((log) => log.slice(0, 32)),
  repair: repairLogHeader,
  codes: [],
  inputs: 2000,
  run(input) {
    const header = decodeWalHeader(input);
    const twin = readLog(input.slice(0, 32));
    assert.equal(header?.pageSizeBytes, twin?.pageSizeBytes);
    assert.equal(header?.bigEndianChecksums, twin?.bigEndian);
    return header;
  },
};

const walScan: Target = {
  name: "wal-scan",
  holds: "the commits of the twin, in one go and in pieces; page map and tail agree with them",
  input: "bytes",
  seeds: () => [...smallLogs(), ...builtLogs()],
  repair: repairLog,
  codes: [],
  inputs: 400,
  run(input) {
    const header = decodeWalHeader(input);
    const twin = readLog(input);
    assert.equal(header === undefined, twin === undefined);
    if (header === undefined || twin === undefined) return undefined;
    const read = readAtOf(input);
    const found = scanner.scan(read, header, startOf(header));
    const last = twin.transactions.at(-1);
    assert.equal(found.commits, twin.transactions.length);
    assert.equal(found.commitPages, last?.commitPages ?? 0);
    assert.equal(found.position.offset, last?.endOffset ?? 32);
    if (last) assert.deepEqual([found.position.checksum1, found.position.checksum2], last.checksum);
    const byOne = scanner.scan(read, header, startOf(header), { maxCommits: 1n });
    assert.equal(byOne.position.offset, twin.transactions[0]?.endOffset ?? 32);
    assert.match(logTail(found.position, header.pageSizeBytes, read), /^(whole|unknown)$/);
    assertPages(input, twin, found.frames);
    return found;
  },
};

/** The newest frame of each page up to the last commit's size, the lock page left out, in as many windows as the map wants. */
function assertPages(log: Uint8Array, { pageSizeBytes, transactions }: TwinLog, frames: number): void {
  const commitPages = transactions.at(-1)?.commitPages ?? 0;
  const newest = new Map<number, number>();
  const lockPage = 0x40000000 / pageSizeBytes + 1;
  transactions
    .flatMap(({ pgnos }) => pgnos)
    .forEach((pgno, ordinal) => {
      // SQLite has no page of the last number that 32 bits can tell.
      if (pgno <= commitPages && pgno < 0xffffffff && pgno !== lockPage) newest.set(pgno, ordinal);
    });
  const rows: number[] = [];
  for (let fromPgno: number | undefined = 1; fromPgno !== undefined; ) {
    map.begin({ fromPgno, commitPages, pageSizeBytes, expectedFrames: frames });
    map.addFrames(readAtOf(log), 32, frames, 0);
    const window = map.finish();
    rows.push(...window.rows);
    assert(window.nextPgno === undefined || window.nextPgno > fromPgno, `no window follows page ${fromPgno}`);
    fromPgno = window.nextPgno;
  }
  assert.deepEqual(rows, [...newest].sort(([a], [b]) => a - b).flat());
}

/** What SQLite leaves in the first 136 bytes of a -shm. */
function indexOf(log: Uint8Array): Uint8Array {
  const index = new Uint8Array(136);
  const view = new DataView(index.buffer);
  const source = new DataView(log.buffer, log.byteOffset);
  view.setUint32(0, 3007000, true);
  view.setUint32(8, 7, true);
  index[12] = 1;
  view.setUint16(14, source.getUint32(8) & 0xffff, true);
  const twin = readLog(log);
  const last = twin?.transactions.at(-1);
  view.setUint32(16, ((last?.endOffset ?? 32) - 32) / (24 + (twin?.pageSizeBytes ?? 512)), true);
  view.setUint32(20, last?.commitPages ?? 0, true);
  view.setUint32(24, last?.checksum[0] ?? 0, true);
  view.setUint32(28, last?.checksum[1] ?? 0, true);
  index.set(log.subarray(16, 24), 32);
  return repairWalIndex(index);
}

const walIndex: Target = {
  name: "wal-index",
  holds:
    "an index exactly where both copies agree, are initialised, and fit their checksum; it can be stood against a position",
  input: "bytes",
  seeds: () => [...smallLogs().filter((log) => log.length > 32), ...builtLogs()].map(indexOf),
  repair: repairWalIndex,
  codes: [],
  inputs: 2000,
  run(input) {
    const index = decodeWalIndex(Buffer.from(input));
    const words = (at: number) => new DataView(input.buffer, input.byteOffset).getUint32(at, true);
    const isSound =
      input.length >= 136 &&
      Buffer.compare(input.subarray(0, 48), input.subarray(48, 96)) === 0 &&
      words(0) === 3007000 &&
      input[12] === 1 &&
      runningChecksum(input.subarray(0, 40), true).join() === [words(40), words(44)].join();
    assert.equal(index !== undefined, isSound);
    if (index === undefined) return undefined;
    assert(Number.isSafeInteger(committedSize(index, 65536)));
    const { salt1, salt2, checksum1, checksum2 } = index;
    const behind = { salt1, salt2, checksum1, checksum2, sequence: 0, offset: committedSize(index, 512) };
    assert.equal(standing(behind, index, 512), "equal");
    return index;
  },
};

export const WAL_TARGETS: readonly Target[] = [walHeader, walScan, walIndex];
