import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Sha256 } from "../../digest.ts";
import { decodeLtx } from "../../ltx/decoder.ts";
import { LtxEncoder } from "../../ltx/encoder.ts";
import { PageChecksums } from "../../ltx/page-checksums.ts";
import { SqliteDatabase } from "../../sqlite/driver.ts";
import { decodeWalHeader } from "../../wal/header.ts";
import { startOf } from "../../wal/position.ts";
import { LogScanner } from "../../wal/scanner.ts";
import { Core, compileCore } from "../../wasm/core.ts";
import { INPUT_OFFSET, OUTPUT_OFFSET } from "../../wasm/layout.ts";
import type { Bench, Workload } from "../workload.ts";

const PAGE_SIZE_BYTES = 4096;
const PIECE_SIZE_BYTES = 65536;
/** The best of so many counts: what else the machine did is not the codec's. */
const ROUNDS = 3;
const MEASURES = [
  "WAL scan",
  "LTX encode",
  "LTX decode and verify",
  "page checksums (CRC-64)",
  "LZ4 compress",
  "LZ4 decompress",
  "SHA-256",
] as const;

/**
 * What one thread does to a database of text rows, in this process: MB of database a second. It has no goals: that compares two programs on one
 * machine, and what a processor does natively is no measure for it either, since some have instructions for SHA-256 and some do not.
 */
export const C1: Workload = {
  id: "C1",
  name: "codec",
  title: "codec, on one thread",
  compares: false,
  knobs: ({ codecMegabytes }) => [
    `${codecMegabytes} MB of text rows, page size ${PAGE_SIZE_BYTES}; the best of ${ROUNDS} rounds, by CPU time`,
  ],
  measures: () => [
    ...MEASURES.map((name) => ({ name, unit: "MB/s", better: "more" as const })),
    { name: "LTX / database", unit: "", better: "less" },
  ],
  run: async (_, bench) => {
    const path = join(bench.scratch, "codec.db");
    const { rows } = await bench.writer.fill(path, bench.options.codecMegabytes);
    const database = readFileSync(path);
    const core = new Core(compileCore());
    const file = await encode(core, database);
    await prove(bench, core, file, rows);
    const blocks = compressAll(core, database);
    const log = logOfAllPages(path);
    const work: Readonly<Record<(typeof MEASURES)[number], () => Promise<unknown> | unknown>> = {
      "WAL scan": () => scanAll(core, log),
      "LTX encode": () => encode(core, database),
      "LTX decode and verify": () => decodeLtx(core, pieces(file), { objectName: "bench" }, () => {}),
      "page checksums (CRC-64)": () => checksumAll(core, database),
      "LZ4 compress": () => compressAll(core, database),
      "LZ4 decompress": () => decompressAll(core, blocks),
      "SHA-256": () => digest(database),
    };
    const speeds: Record<string, number> = {};
    for (const name of MEASURES) speeds[name] = database.length / 1e3 / (await bestMsOf(work[name]));
    return { ...speeds, "LTX / database": file.length / database.length };
  },
};

/** Of CPU time, not of the clock: what else runs on the processor is not the codec's. */
async function bestMsOf(work: () => Promise<unknown> | unknown): Promise<number> {
  let bestMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const begun = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(begun);
    bestMs = Math.min(bestMs, (user + system) / 1000);
  }
  return bestMs;
}

/** Figures of a codec that loses a byte are void. */
async function prove(bench: Bench, core: Core, file: Buffer, rows: number): Promise<void> {
  const decoded: Buffer[] = [];
  await decodeLtx(
    core,
    pieces(file),
    { objectName: "bench" },
    ({ pages }) => void decoded.push(Buffer.from(pages)),
  );
  const path = join(bench.scratch, "decoded.db");
  writeFileSync(path, Buffer.concat(decoded));
  await bench.writer.check(path, rows);
}

/** A log that holds every page once, in one transaction, as SQLite writes it. */
function logOfAllPages(path: string): Buffer {
  const db = new SqliteDatabase(path);
  db.pragma("wal_autocheckpoint = 0");
  db.exec("UPDATE rows SET text = upper(text)");
  const log = readFileSync(`${path}-wal`);
  db.close();
  return log;
}

function scanAll(core: Core, log: Buffer): void {
  const header = decodeWalHeader(log);
  if (header === undefined) throw new Error("no log");
  const read = (into: Uint8Array, offset: number) => log.copy(into, 0, offset, offset + into.length);
  const { commits } = new LogScanner(core).scan(read, header, startOf(header));
  if (commits !== 1) throw new Error(`${commits} commits in a log of one`);
}

async function encode(core: Core, database: Buffer): Promise<Buffer> {
  const written: Buffer[] = [];
  const sink = { write: (bytes: Uint8Array) => void written.push(Buffer.from(bytes)) as undefined };
  const commit = database.length / PAGE_SIZE_BYTES;
  const encoder = await LtxEncoder.open({ core, pageSizeBytes: PAGE_SIZE_BYTES, commit, sink });
  encoder.oldChecksums.fill(0);
  for (let page = 0; page < commit; page += encoder.batchCapacity) {
    const count = Math.min(encoder.batchCapacity, commit - page);
    encoder.input.set(database.subarray(page * PAGE_SIZE_BYTES, (page + count) * PAGE_SIZE_BYTES));
    for (let row = 0; row < count; row += 1) encoder.setPage(row, page + row + 1);
    await encoder.encode(count);
  }
  const none = { preApply: 0n, walOffset: 0n, walSize: 0n, walSalt1: 0, walSalt2: 0, nodeId: 1n };
  const fields = { ...none, minTxid: 1n, maxTxid: 1n, timestampMs: 0 };
  const { header } = await encoder.finish(fields, encoder.databaseChecksumDelta | (1n << 63n));
  return Buffer.concat([header, ...written]);
}

async function* pieces(file: Buffer): AsyncIterable<Uint8Array> {
  for (let at = 0; at < file.length; at += PIECE_SIZE_BYTES) yield file.subarray(at, at + PIECE_SIZE_BYTES);
}

function checksumAll(core: Core, database: Buffer): bigint {
  const sums = new PageChecksums(core, PAGE_SIZE_BYTES);
  let xor = 0n;
  for (let at = 0; at < database.length; at += sums.input.length) {
    const batch = database.subarray(at, at + sums.input.length);
    sums.input.set(batch);
    xor ^= sums.sum(batch.length / PAGE_SIZE_BYTES);
  }
  return xor;
}

function compressAll(core: Core, database: Buffer): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < database.length; at += PAGE_SIZE_BYTES) {
    core.input.set(database.subarray(at, at + PAGE_SIZE_BYTES));
    const size = core.wasm.compressBlock(INPUT_OFFSET, PAGE_SIZE_BYTES, OUTPUT_OFFSET);
    blocks.push(core.take(OUTPUT_OFFSET, size));
  }
  return blocks;
}

function decompressAll(core: Core, blocks: readonly Uint8Array[]): void {
  const outputEnd = OUTPUT_OFFSET + PAGE_SIZE_BYTES;
  for (const block of blocks) {
    core.input.set(block);
    const end = INPUT_OFFSET + block.length;
    core.wasm.decompressBlock(INPUT_OFFSET, end, OUTPUT_OFFSET, outputEnd, OUTPUT_OFFSET);
  }
}

async function digest(bytes: Buffer): Promise<string> {
  const sha = await Sha256.begin();
  for (let at = 0; at < bytes.length; at += PIECE_SIZE_BYTES)
    sha.update(bytes.subarray(at, at + PIECE_SIZE_BYTES));
  return sha.finish();
}
