import { expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { PageMarks } from "../../src/ltx/page-marks.ts";
import { rollTableForward } from "../../src/replication/roll-forward.ts";
import { PageTable } from "../../src/shadow/page-table.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { aHistory } from "../helpers/replication/a-history.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const FILES = ["app/00000002-00000002.ltx", "app/00000003-00000003.ltx", "app/00000004-00000005.ltx"];

/** The table of TXID 1, and what it takes to roll it. */
async function scene() {
  const { storage, history } = await aHistory();
  const table = PageTable.create(`${tempFolder()}/table`, 512);
  const cores = new CorePool();
  const snapshot = {
    table,
    changed: new PageMarks(12),
    preApply: 0n,
    storage,
    keys: ["app/00000001-00000001.ltx"],
    cores,
  };
  expect(await rollTableForward(snapshot)).toBe(true);
  const preApply = history.files[0]?.postApply ?? 0n;
  expect(table.checksum()).toBe(preApply);
  const changed = new PageMarks(12);
  return { history, options: { table, changed, preApply, storage, keys: FILES, cores } };
}

test("gives the table of the head, and again when some of it was there", async () => {
  const { history, options } = await scene();
  for (let round = 0; round < 2; round += 1) {
    expect(await rollTableForward(options)).toBe(true);
    expect(options.table.pages).toBe(12);
    expect(options.table.checksum()).toBe(history.files.at(-1)?.postApply);
  }
});

test("nothing to roll", async () => {
  const { options } = await scene();
  expect(await rollTableForward({ ...options, keys: [] })).toBe(true);
  expect(options.table.checksum()).toBe(options.preApply);
});

test("more files than reading the database costs: not worth it", async () => {
  const { options } = await scene();
  const { length } = options.storage.calls;
  expect(
    await rollTableForward({ ...options, keys: Array.from({ length: 1001 }, () => FILES[0] ?? "") }),
  ).toBe(false);
  expect(options.storage.calls).toHaveLength(length);
});

test.each([
  ["does not follow the table", [1]],
  ["does not follow the one before", [0, 2]],
])("a file that %s: false", async (_, order) => {
  const { options } = await scene();
  expect(await rollTableForward({ ...options, keys: order.map((i) => FILES[i] ?? "") })).toBe(false);
});

test("a file of another database, though it has the name: false", async () => {
  const { options } = await scene();
  const other = await aHistory(2);
  options.storage.poke(FILES[1] ?? "", other.storage.peek(FILES[1] ?? ""));
  expect(await rollTableForward(options)).toBe(false);
});

test("a damaged file: false; one that does not come: its error", async () => {
  const { options } = await scene();
  const body = options.storage.peek(FILES[1] ?? "");
  body[150] = (body[150] ?? 0) ^ 1;
  options.storage.poke(FILES[1] ?? "", body);
  expect(await rollTableForward(options)).toBe(false);
  const error = new WalrustError("STORAGE_NETWORK", "cut");
  options.storage.fault = () => ({ kind: "after", error, units: 120 });
  await expect(rollTableForward(options)).rejects.toBe(error);
  options.storage.fault = () => undefined;
  options.storage.remove(FILES[2] ?? "");
  await expect(rollTableForward({ ...options, keys: FILES.slice(2) })).rejects.toMatchObject({
    code: "STORAGE_NOT_FOUND",
  });
});
