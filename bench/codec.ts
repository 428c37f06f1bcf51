import Database from "better-sqlite3";
import { Sha256 } from "../src/digest.ts";
import { decodeLtx } from "../src/ltx/decoder.ts";
import { LtxEncoder } from "../src/ltx/encoder.ts";
import { PageChecksums } from "../src/ltx/page-checksums.ts";
import { Core, compileCore } from "../src/wasm/core.ts";
import { INPUT_OFFSET, OUTPUT_OFFSET } from "../src/wasm/layout.ts";

/** C1 of performance.md: what one thread does to a database of text rows. MB of database a second, best of several runs. */
export interface CodecResult {
  readonly name: string;
  readonly megabytesPerSecond: number;
}

export interface CodecReport {
  readonly databaseMegabytes: number;
  readonly pageSizeBytes: number;
  /** Size of the LTX file to that of the database. */
  readonly ltxRatio: number;
  readonly results: readonly CodecResult[];
}

export interface CodecOptions {
  readonly megabytes: number;
  readonly pageSizeBytes: number;
  readonly runs: number;
}

const PIECE_SIZE_BYTES = 65536;

export async function measureCodec(options: CodecOptions): Promise<CodecReport> {
  const { pageSizeBytes } = options;
  const database = textDatabase(options);
  const core = new Core(compileCore());
  const file = await encode(core, database, pageSizeBytes);
  await proveSame(core, file, database);
  const blocks = compressAll(core, database, pageSizeBytes);

  const measure = async (name: string, work: () => Promise<unknown> | unknown): Promise<CodecResult> => {
    let bestMs = Number.POSITIVE_INFINITY;
    for (let run = 0; run < options.runs; run += 1) {
      const begunMs = performance.now();
      await work();
      bestMs = Math.min(bestMs, performance.now() - begunMs);
    }
    return { name, megabytesPerSecond: database.length / 1e3 / bestMs };
  };
  return {
    databaseMegabytes: database.length / 1e6,
    pageSizeBytes,
    ltxRatio: file.length / database.length,
    results: [
      await measure("LTX encode", () => encode(core, database, pageSizeBytes)),
      await measure("LTX decode and verify", () =>
        decodeLtx(core, pieces(file), { objectName: "bench" }, () => {}),
      ),
      await measure("page checksums (CRC-64)", () => checksumAll(core, database, pageSizeBytes)),
      await measure("LZ4 compress", () => compressAll(core, database, pageSizeBytes)),
      await measure("LZ4 decompress", () => decompressAll(core, blocks, pageSizeBytes)),
      await measure("SHA-256", () => digest(database)),
    ],
  };
}

/** Rows as applications write them: a few numbers, a name, a time, a body of words of uneven frequency. */
function textDatabase({ megabytes, pageSizeBytes }: CodecOptions): Buffer {
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const syllables = "ka ter in mo de sta ler on pre cu ti ve ment lo gra phy ex al ist ro".split(" ");
  const word = () =>
    Array.from({ length: 1 + random(4) }, () => syllables[random(syllables.length)]).join("");
  const words = Array.from({ length: 4000 }, word);
  const text = (length: number) =>
    Array.from({ length }, () => words[Math.floor(words.length ** (random(1000) / 1000)) - 1]).join(" ");

  const db = new Database(":memory:");
  db.pragma(`page_size = ${pageSizeBytes}`);
  db.exec("CREATE TABLE note (id INTEGER PRIMARY KEY, author INTEGER, name TEXT, at TEXT, body TEXT)");
  const insert = db.prepare("INSERT INTO note (author, name, at, body) VALUES (?, ?, ?, ?)");
  const pages = db.prepare("PRAGMA page_count").pluck();
  while (Number(pages.get()) * pageSizeBytes < megabytes * 1e6) {
    db.transaction(() => {
      for (let row = 0; row < 1000; row += 1) {
        const at = new Date(1_767_323_045_000 + random(1e9)).toISOString();
        insert.run(random(1e6), text(2), at, text(10 + random(80)));
      }
    })();
  }
  const bytes = db.serialize();
  db.close();
  return bytes;
}

async function encode(core: Core, database: Buffer, pageSizeBytes: number): Promise<Buffer> {
  const written: Buffer[] = [];
  const sink = { write: (bytes: Uint8Array) => void written.push(Buffer.from(bytes)) as undefined };
  const commit = database.length / pageSizeBytes;
  const encoder = await LtxEncoder.open({ core, pageSizeBytes, commit, sink });
  encoder.oldChecksums.fill(0);
  for (let page = 0; page < commit; page += encoder.batchCapacity) {
    const count = Math.min(encoder.batchCapacity, commit - page);
    encoder.input.set(database.subarray(page * pageSizeBytes, (page + count) * pageSizeBytes));
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

/** Figures of a codec that loses a byte are void. */
async function proveSame(core: Core, file: Buffer, database: Buffer): Promise<void> {
  let at = 0;
  await decodeLtx(core, pieces(file), { objectName: "bench" }, ({ pages }) => {
    if (database.compare(pages, 0, pages.length, at, at + pages.length) !== 0)
      throw new Error("a page differs");
    at += pages.length;
  });
  if (at !== database.length) throw new Error("pages are missing");
}

function checksumAll(core: Core, database: Buffer, pageSizeBytes: number): bigint {
  const sums = new PageChecksums(core, pageSizeBytes);
  let xor = 0n;
  for (let at = 0; at < database.length; at += sums.input.length) {
    const batch = database.subarray(at, at + sums.input.length);
    sums.input.set(batch);
    xor ^= sums.sum(batch.length / pageSizeBytes);
  }
  return xor;
}

function compressAll(core: Core, database: Buffer, pageSizeBytes: number): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < database.length; at += pageSizeBytes) {
    core.input.set(database.subarray(at, at + pageSizeBytes));
    const size = core.wasm.compressBlock(INPUT_OFFSET, pageSizeBytes, OUTPUT_OFFSET);
    blocks.push(core.take(OUTPUT_OFFSET, size));
  }
  return blocks;
}

function decompressAll(core: Core, blocks: readonly Uint8Array[], pageSizeBytes: number): void {
  const outputEnd = OUTPUT_OFFSET + pageSizeBytes;
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

/** `node bench/codec.mjs [--json] [--megabytes 64] [--page-size 4096] [--runs 5]` */
export async function main(args: readonly string[]): Promise<void> {
  const option = (name: string, otherwise: number) => {
    const at = args.indexOf(name);
    return at < 0 ? otherwise : Number(args[at + 1]);
  };
  const report = await measureCodec({
    megabytes: option("--megabytes", 64),
    pageSizeBytes: option("--page-size", 4096),
    runs: option("--runs", 5),
  });
  if (args.includes("--json")) {
    console.log(JSON.stringify(report, undefined, 2));
    return;
  }
  const { databaseMegabytes, pageSizeBytes, ltxRatio, results } = report;
  console.log(
    `${databaseMegabytes.toFixed(0)} MB of text rows, pages of ${pageSizeBytes} bytes; LTX/database ${ltxRatio.toFixed(3)}`,
  );
  for (const { name, megabytesPerSecond } of results) {
    console.log(`${name.padEnd(24)}${megabytesPerSecond.toFixed(0).padStart(6)} MB/s`);
  }
}
