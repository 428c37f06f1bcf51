import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { readPublication } from "../../bench/last-row.ts";
import { INSERT, SCHEMA, textOfRow } from "../../src/bench/rows.ts";
import { Core, compileCore } from "../../src/wasm/core.ts";
import { encodeFile } from "../helpers/ltx/encode-file.ts";

const PAGE_SIZE = 4096;
const core = new Core(compileCore());

/** The pages of a database of the benchmarks' application with so many rows, and with a table of somebody else. */
function pagesOf(rows: number): readonly Uint8Array[] {
  const database = new Database(":memory:");
  database.pragma(`page_size = ${PAGE_SIZE}`);
  database.exec(`${SCHEMA}; CREATE TABLE others (id INTEGER PRIMARY KEY); INSERT INTO others VALUES (1)`);
  const insert = database.prepare(INSERT);
  database.transaction(() => {
    for (let n = 1; n <= rows; n += 1) insert.run(n, textOfRow(n));
  })();
  const bytes = database.serialize();
  database.close();
  return Array.from({ length: bytes.length / PAGE_SIZE }, (_, at) =>
    bytes.subarray(at * PAGE_SIZE, (at + 1) * PAGE_SIZE),
  );
}

async function objectWith(pages: readonly Uint8Array[], pgnos: readonly number[]): Promise<Uint8Array> {
  const isSnapshot = pgnos.length === pages.length;
  const file = await encodeFile(core, {
    pageSizeBytes: PAGE_SIZE,
    commit: pages.length,
    noChecksum: !isSnapshot,
    pages: pgnos.map((pgno) => ({ pgno, page: pages[pgno - 1] ?? new Uint8Array(PAGE_SIZE) })),
    fields: isSnapshot ? {} : { minTxid: 4n, maxTxid: 6n },
  });
  return file.bytes;
}

const pages = pagesOf(1000);
const all = pages.map((_, at) => at + 1);

describe("what an object makes durable is told by the rows in it", () => {
  test("a snapshot: the last row, and its TXIDs", async () => {
    expect(await readPublication(core, "a.ltx", await objectWith(pages, all))).toEqual({
      minTxid: 1n,
      maxTxid: 1n,
      lastRow: 1000,
    });
  });

  test("an incremental with the last page of the table", async () => {
    expect(await readPublication(core, "a.ltx", await objectWith(pages, [1, all.length]))).toEqual({
      minTxid: 4n,
      maxTxid: 6n,
      lastRow: 1000,
    });
  });

  test("without that page: less", async () => {
    const { lastRow } = await readPublication(core, "a.ltx", await objectWith(pages, all.slice(3, -1)));
    expect(lastRow).toBeGreaterThan(900);
    expect(lastRow).toBeLessThan(1000);
  });

  test("the schema's rows are nobody's", async () => {
    expect((await readPublication(core, "a.ltx", await objectWith(pages, [1]))).lastRow).toBe(0);
  });

  test.each([1, 20, 100])("%d rows", async (rows) => {
    const few = pagesOf(rows);
    const body = await objectWith(
      few,
      few.map((_, at) => at + 1),
    );
    expect((await readPublication(core, "a.ltx", body)).lastRow).toBe(rows);
  });

  test("a damaged one is refused", async () => {
    const body = Buffer.from(await objectWith(pages, all));
    body[500] = (body[500] ?? 0) ^ 1;
    await expect(readPublication(core, "a.ltx", body)).rejects.toThrow("a.ltx");
  });
});
