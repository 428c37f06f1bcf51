import { type DecodedLtx, decodeLtx } from "../../../src/ltx/decoder.ts";
import type { Core } from "../../../src/wasm/core.ts";

export interface DecodedPage {
  readonly pgno: number;
  readonly page: Buffer;
  readonly checksum: bigint;
}

export interface DecodedFile extends DecodedLtx {
  readonly pages: readonly DecodedPage[];
}

/** Decodes a file that is all here, in pieces of `pieceSize` bytes, and keeps its pages. */
export async function decodeAll(
  core: Core,
  bytes: Uint8Array,
  pieceSize = bytes.length || 1,
): Promise<DecodedFile> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceSize) yield bytes.subarray(at, at + pieceSize);
  }
  return decodePieces(core, pieces());
}

export async function decodePieces(core: Core, source: AsyncIterable<Uint8Array>): Promise<DecodedFile> {
  const pages: DecodedPage[] = [];
  const decoded = await decodeLtx(core, source, { objectName: "db/test.ltx" }, (batch) => {
    const pageSize = batch.pages.length / batch.count;
    const checksums = Buffer.from(batch.checksums);
    batch.pgnos.forEach((pgno, row) => {
      const page = Buffer.from(batch.pages.subarray(row * pageSize, (row + 1) * pageSize));
      pages.push({ pgno, page, checksum: checksums.readBigUInt64LE(row * 8) });
    });
  });
  return { ...decoded, pages };
}

/** Pages as text to compare: vitest compares long buffers slowly. */
export function tellPages(pages: readonly DecodedPage[]): string {
  return pages.map(({ pgno, checksum, page }) => `${pgno} ${checksum} ${page.toString("hex")}`).join("\n");
}
