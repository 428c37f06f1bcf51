import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatFilename } from "../../../src/ltx/filename.ts";
import { LTX_HEADER_SIZE, LTX_TRAILER_SIZE } from "../../../src/ltx/format.ts";
import type { StoredLtx } from "./storage-folder.ts";

/** What can happen to an object behind everybody's back. Storage is not a live database: its files may be opened freely. */
export const DAMAGES: Readonly<Record<string, (ltx: StoredLtx, others: readonly StoredLtx[]) => void>> = {
  "a bit flipped in the header": (ltx) => flip(ltx.file, 40),
  "a bit flipped in the body checksum": (ltx) => flip(ltx.file, 83),
  "a bit flipped in the middle": (ltx) => flip(ltx.file, Math.floor(ltx.sizeBytes / 2)),
  "a bit flipped in the index": (ltx) => flip(ltx.file, ltx.sizeBytes - LTX_TRAILER_SIZE - 9),
  "a bit flipped in the trailer": (ltx) => flip(ltx.file, ltx.sizeBytes - 3),
  "cut to nothing": (ltx) => cut(ltx.file, 0),
  "cut behind the header": (ltx) => cut(ltx.file, LTX_HEADER_SIZE),
  "cut in the middle": (ltx) => cut(ltx.file, Math.floor(ltx.sizeBytes / 2)),
  "the last byte cut off": (ltx) => cut(ltx.file, ltx.sizeBytes - 1),
  "a byte too many": (ltx) =>
    writeFileSync(ltx.file, Buffer.concat([readFileSync(ltx.file), Buffer.alloc(1)])),
  dropped: (ltx) => rmSync(ltx.file),
  "under the name of the next TXID": (ltx) =>
    renameSync(
      ltx.file,
      join(dirname(ltx.file), formatFilename({ minTxid: ltx.minTxid + 1n, maxTxid: ltx.maxTxid + 1n })),
    ),
  "replaced by another file of the chain": (ltx, others) => {
    const other = others.find(({ file }) => file !== ltx.file);
    if (other === undefined) throw new Error("a chain has more than one file");
    copyFileSync(other.file, ltx.file);
  },
};

function flip(file: string, offset: number): void {
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 0x10, offset);
  writeFileSync(file, bytes);
}

function cut(file: string, length: number): void {
  writeFileSync(file, readFileSync(file).subarray(0, length));
}
