import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { counterOf, disguise, isDisguised, undisguise } from "../../../src/follow/page-one.ts";
import { formatState, parseState, type ReplicaState } from "../../../src/follow/replica-state.ts";
import { recoverFrames } from "../../../src/replication/recover-frames.ts";
import { parseWriterNote } from "../../../src/replication/writer-note.ts";
import { formatCursor, parseCursor } from "../../../src/shadow/cursor.ts";
import { DatabaseLock } from "../../../src/shadow/lock.ts";
import { PageTable } from "../../../src/shadow/page-table.ts";
import { seal, unseal } from "../../../src/shadow/sealed-json.ts";
import { decodeSegmentHeader, encodeSegmentHeader } from "../../../src/shadow/segment.ts";
import { mainFilePages } from "../../../src/sqlite/database-size.ts";
import { inspectDatabase } from "../../../src/sqlite/inspect.ts";
import { decodeWalHeader } from "../../../src/wal/header.ts";
import { startOf } from "../../../src/wal/position.ts";
import { LogScanner } from "../../../src/wal/scanner.ts";
import { Core, compileCore } from "../../../src/wasm/core.ts";
import { LogBuilder } from "../../helpers/wal/log-builder.ts";
import { sandbox } from "../sandbox.ts";
import { inputOf, type Target, textOf } from "../target.ts";
import { repairLog, repairSealed, repairSegment } from "../twins/wal.ts";

const scanner = new LogScanner(new Core(compileCore()));

let written: Uint8Array | undefined;

/** The input as a file, for readers that take a path. They leave it as it is, or the next one writes it anew. */
function inFile<T>(input: Uint8Array, use: (path: string) => T): T {
  const path = join(sandbox().scratch, "input");
  if (written === undefined || Buffer.compare(written, input) !== 0) writeFileSync(path, input);
  written = input;
  return use(path);
}

const LOG = { sequence: 3, salt1: 0xffffffff, salt2: 1, offset: 8272, checksum1: 0x80000000, checksum2: 0 };
const POSITION = { txid: 7n, postApply: 2n ** 63n + 5n, commitPages: 12, timestampMs: 1_767_000_000_123 };
const FILE = {
  storageUrl: "s3://bucket/prefix",
  name: "tenants/a",
  dev: "66306",
  ino: "9",
  boot: "b",
  pageSizeBytes: 4096,
};

const cursor: Target = {
  name: "cursor",
  holds: "comes back as it was written; every field of its type and in its range",
  input: "text",
  words: ['"log"', '"txid"', '"page_size"', '"timestamp"', '"version"'],
  seeds: () =>
    [LOG, undefined].map((log) => inputOf(formatCursor({ ...FILE, published: { ...POSITION, log } }))),
  repair: repairSealed,
  codes: [],
  inputs: 3000,
  run(input) {
    const parsed = parseCursor(textOf(input));
    if (parsed === undefined) return undefined;
    assert.deepEqual(parseCursor(formatCursor(parsed)), parsed);
    assertPosition(parsed.published, parsed.pageSizeBytes);
    const { log } = parsed.published;
    if (log) assert((log.offset - 32) % (24 + parsed.pageSizeBytes) === 0, `offset ${log.offset}`);
    return parsed;
  },
};

function assertPosition(
  { commitPages, timestampMs }: { readonly commitPages: number; readonly timestampMs: number },
  pageSizeBytes: number,
): void {
  assert(
    commitPages >= 0 && commitPages <= 0xffffffff && Number.isInteger(commitPages),
    `${commitPages} pages`,
  );
  assert(
    [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536].includes(pageSizeBytes),
    `page size ${pageSizeBytes}`,
  );
  new Date(timestampMs).toISOString();
}

const writerNote: Target = {
  name: "writer-note",
  holds: "numbers are whole and not negative",
  input: "text",
  words: ['"epoch"', '"taking"', '"waits_until"', '"id"'],
  seeds: () => [
    inputOf(
      seal({
        ...{ version: 1, storage_url: "s3://b", name: "app", id: "00000000000000ff", epoch: 2, taking: 0 },
        ...{ waits_until: 1_767_000_000_123, host: "h", folder: "77", boot: "" },
      }),
    ),
  ],
  repair: repairSealed,
  codes: [],
  inputs: 2000,
  run(input) {
    const note = parseWriterNote(textOf(input));
    if (note === undefined) return undefined;
    for (const number of [note.epoch, note.taking, note.waitsUntilMs])
      assert(Number.isSafeInteger(number) && number >= 0, `${number}`);
    return note;
  },
};

const sealed: Target = {
  name: "sealed-json",
  holds: "what is read is an object",
  input: "text",
  seeds: () => [{ a: 1 }, { a: { b: ["x", null] } }, {}].map((fields) => inputOf(seal(fields))),
  repair: repairSealed,
  codes: [],
  inputs: 2000,
  run(input) {
    const fields = unseal(textOf(input));
    if (fields === undefined) return undefined;
    assert(typeof fields === "object" && fields !== null && !Array.isArray(fields));
    return fields;
  },
};

const STATES: readonly ReplicaState[] = [
  { source: "s3://b/app", current: undefined, next: undefined },
  {
    source: "file:///x/app",
    current: {
      ...POSITION,
      pageSizeBytes: 512,
      pageOne: { sourceFields: "0202000000070000000700", counter: 7, checksum: 9n },
    },
    next: { ...POSITION, pageSizeBytes: 512, pageOne: undefined },
  },
].map((state) => state as ReplicaState);

const replicaState: Target = {
  name: "replica-state",
  holds: "comes back as it was written; its page 1 can be put on and taken off",
  input: "text",
  words: ['"current"', '"next"', '"page_one"', '"source_fields"', '"counter"'],
  seeds: () => STATES.map((state) => inputOf(formatState(withTenBytes(state)))),
  repair: repairSealed,
  codes: [],
  inputs: 3000,
  run(input) {
    const state = parseState(textOf(input));
    if (state === undefined) return undefined;
    assert.equal(typeof state.source, "string");
    assert.deepEqual(parseState(formatState(state)), state);
    for (const applied of [state.current, state.next]) {
      if (applied === undefined) continue;
      assertPosition(applied, applied.pageSizeBytes);
      if (applied.pageOne === undefined) continue;
      const page = new Uint8Array(512);
      disguise(page, applied.pageOne);
      assert(isDisguised(page, applied.pageOne));
      assert.equal(counterOf(page), applied.pageOne.counter);
      undisguise(page, applied.pageOne);
    }
    return state;
  },
};

function withTenBytes(state: ReplicaState): ReplicaState {
  const { current } = state;
  if (current?.pageOne === undefined) return state;
  const pageOne = { ...current.pageOne, sourceFields: "02020000000700000007" };
  return { ...state, current: { ...current, pageOne } };
}

function pageTableBytes(pageSize: number, entries: number): Uint8Array {
  const words = Uint32Array.of(
    0x54505257,
    1,
    pageSize,
    0,
    ...Array.from({ length: entries * 2 }, (_, i) => i * 0x9e3779b1),
  );
  return new Uint8Array(words.buffer);
}

const pageTable: Target = {
  name: "page-table",
  holds: "can be read, summed and searched; the file stays as it is",
  input: "bytes",
  seeds: () => [pageTableBytes(4096, 3), pageTableBytes(512, 700), pageTableBytes(65536, 0)],
  codes: ["LOCAL_IO"],
  inputs: 400,
  run: (input) =>
    inFile(input, (path) => {
      const table = PageTable.open(path, { readonly: true });
      if (table === undefined) return undefined;
      try {
        assert(
          [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536].includes(table.pageSizeBytes),
          `page size ${table.pageSizeBytes}`,
        );
        assert.equal(table.pages, Math.floor((input.length - 16) / 8));
        const entries = new Uint8Array(80);
        table.read(1, 10, entries);
        const expected = Buffer.alloc(80);
        Buffer.from(input).copy(expected, 0, 16, 16 + Math.min(10, table.pages) * 8);
        // An entry that is not whole is none, or one that was torn: whoever reads it proves the sum.
        assert.deepEqual(
          Buffer.from(entries).subarray(0, table.pages * 8),
          expected.subarray(0, Math.min(80, table.pages * 8)),
        );
        return [table.pages, table.checksum(), table.xor(1, table.pages), table.firstAbsent(1, table.pages)];
      } finally {
        table.close();
        assert.deepEqual(readFileSync(path), Buffer.from(input));
      }
    }),
};

function aSegment(skipped: number): Uint8Array {
  const builder = new LogBuilder({ pageSizeBytes: 512, sequence: 3 });
  for (let i = 0; i < 4; i += 1) builder.commit([1, i + 2], i + 2, i + 1);
  const log = builder.build();
  const header = decodeWalHeader(log);
  assert(header);
  const from = scanner.scan(
    (into, at) => {
      const part = log.subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
    header,
    startOf(header),
    { maxCommits: BigInt(skipped) },
  ).position;
  const head = encodeSegmentHeader({
    txidBefore: 41n + BigInt(skipped),
    logHeader: log.subarray(0, 32),
    from,
    capturedAtMs: 1_767_000_000_123,
  });
  return new Uint8Array(Buffer.concat([head, log.subarray(from.offset)]));
}

const segment: Target = {
  name: "segment",
  holds:
    "a header that comes back, with a place between two frames; frames are recovered only as far as their checksums go",
  input: "bytes",
  seeds: () => [0, 2].map(aSegment),
  repair: (input) => repairFrames(repairSegment(input)),
  codes: ["LOCAL_IO"],
  inputs: 200,
  async run(input) {
    const header = decodeSegmentHeader(Buffer.from(input.subarray(0, 88)));
    if (header !== undefined) {
      assert.deepEqual(decodeSegmentHeader(encodeSegmentHeader(header)), header);
      assert(
        Number.isSafeInteger(header.from.offset) &&
          (header.from.offset - 32) % (24 + header.log.pageSizeBytes) === 0,
      );
      new Date(header.capturedAtMs).toISOString();
    }
    const segmentFolder = join(sandbox().scratch, "segments");
    mkdirSync(segmentFolder, { recursive: true });
    writeFileSync(join(segmentFolder, "00000000000000000041-0000000001.frames"), input);
    const found = await recoverFrames({
      isSynced: false,
      ...{ segmentFolder, scanner, txidUnit: "commit", cursorLog: header?.from },
      locateHead: async () => undefined,
      head: {
        ...{ state: { ...POSITION, txid: header?.txidBefore ?? 41n, log: undefined }, pageSizeBytes: 512 },
        ...{ newestSnapshot: undefined, logEnd: undefined, incrementalsAfter: () => undefined },
      },
      nowMs: { wall: 1_767_000_000_456, monotonic: 5 },
    });
    for (const { from, to, commits } of found.runs) {
      assert(
        commits > 0n &&
          to.offset > from.offset &&
          to.offset - (header?.from.offset ?? 0) + 88 <= input.length,
      );
    }
    return found.runs.map(({ from, to, commits, commitPages, txidBefore }) => ({
      from,
      to,
      commits,
      commitPages,
      txidBefore,
    }));
  },
};

/** Frames behind the header of a segment that begins at the start of its log. */
function repairFrames(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 88 || Buffer.from(bytes).readBigUInt64BE(56) !== 32n) return bytes;
  const log = repairLog(Buffer.concat([bytes.subarray(24, 56), bytes.subarray(88)]));
  return Buffer.concat([bytes.subarray(0, 88), log.subarray(32)]);
}

function databaseBytes(pageSize: number, isWal: boolean): Uint8Array {
  const database = new Database(":memory:");
  database.pragma(`page_size=${pageSize}`);
  database.exec("CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  const bytes = new Uint8Array(database.serialize());
  database.close();
  if (isWal) bytes.fill(2, 18, 20);
  return bytes.slice(0, 1024);
}

const databaseHeader: Target = {
  name: "database-header",
  holds: "a page size that SQLite knows",
  input: "bytes",
  seeds: () => [512, 4096, 65536].flatMap((size) => [true, false].map((isWal) => databaseBytes(size, isWal))),
  codes: ["DATABASE_NOT_SQLITE", "DATABASE_NOT_WAL"],
  inputs: 300,
  run: (input) =>
    inFile(input, (path) => {
      const { pageSizeBytes } = inspectDatabase(path);
      assert(
        [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536].includes(pageSizeBytes),
        `page size ${pageSizeBytes}`,
      );
      const fd = openSync(path, "r");
      const pages = mainFilePages(path, fd, pageSizeBytes);
      closeSync(fd);
      assert(Number.isSafeInteger(pages) && pages >= 0);
      return { pageSizeBytes, pages };
    }),
};

function lockBytes(values: string): Uint8Array {
  const database = new Database(":memory:");
  database.pragma("page_size=512");
  database.exec(
    `CREATE TABLE owner (host TEXT, pid INTEGER, started TEXT, controlSocket TEXT); INSERT INTO owner VALUES (${values})`,
  );
  const bytes = new Uint8Array(database.serialize());
  database.close();
  return bytes;
}

const lockFile: Target = {
  name: "lock-file",
  holds: "somebody, or nobody",
  input: "bytes",
  seeds: () =>
    ["'elsewhere', 5, '77', '/run/x.sock'", "'', NULL, NULL, NULL", "x'00ff', 'pid', 1.5, x'00'"].map(
      lockBytes,
    ),
  codes: ["LOCAL_IO", "LOCAL_DISK_FULL"],
  inputs: 120,
  run: (input) =>
    inFile(input, (path) => {
      written = undefined; // SQLite may write to it
      const holder = DatabaseLock.holder(path);
      if (holder !== undefined)
        for (const text of [holder.host, holder.controlSocket, holder.started])
          assert.equal(typeof text, "string");
      return holder;
    }),
};

export const LOCAL_STATE_TARGETS: readonly Target[] = [
  ...[cursor, writerNote, sealed, replicaState, pageTable, segment, databaseHeader, lockFile],
];
