import { decodeLtx } from "../src/ltx/decoder.ts";
import type { Core } from "../src/wasm/core.ts";

/** SQLite file format, section 1.6: the kind of a page, and where its header has what. */
const TABLE_LEAF = 0x0d;
const CELL_COUNT_OFFSET = 3;
const CELL_POINTERS_OFFSET = 8;
/** Pages of the schema, whose rows are not the application's. */
const SCHEMA_PAGE = 1;

export interface Publication {
  readonly minTxid: bigint;
  readonly maxTxid: bigint;
  /**
   * The last row of the application that is in its pages; 0: none. The application only adds rows with ascending keys (rows.ts): whoever has
   * the page of a row as it was after the commit has that row in it, and an object is told by it what it makes durable, whatever its TXIDs count.
   */
  readonly lastRow: number;
}

/** Errors: those of decodeLtx. */
export async function readPublication(core: Core, key: string, body: Uint8Array): Promise<Publication> {
  let lastRow = 0;
  const { header } = await decodeLtx(core, piecesOf(body), { objectName: key }, ({ count, pgnos, pages }) => {
    const sizeBytes = pages.length / count;
    for (const [at, pgno] of pgnos.entries()) {
      if (pgno === SCHEMA_PAGE) continue;
      lastRow = Math.max(lastRow, lastRowOf(pages.subarray(at * sizeBytes, (at + 1) * sizeBytes)));
    }
  });
  return { minTxid: header.minTxid, maxTxid: header.maxTxid, lastRow };
}

async function* piecesOf(body: Uint8Array): AsyncIterable<Uint8Array> {
  yield body;
}

function lastRowOf(page: Uint8Array): number {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const cells = view.getUint16(CELL_COUNT_OFFSET);
  if (view.getUint8(0) !== TABLE_LEAF || cells === 0) return 0;
  // cells in the order of their keys: the size of the payload, then the row
  const cell = view.getUint16(CELL_POINTERS_OFFSET + 2 * (cells - 1));
  return varint(view, varint(view, cell).end).value;
}

/** Section 1.6: seven bits a byte, the high ones first. None here has nine bytes. */
function varint(view: DataView, offset: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = offset; ; at += 1) {
    const byte = view.getUint8(at);
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: at + 1 };
  }
}
