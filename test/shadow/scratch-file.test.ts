import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ScratchFile } from "../../src/shadow/scratch-file.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

async function readAll(file: ScratchFile): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of file.readBack()) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

test.each([0, 1, 256 * 1024, 256 * 1024 + 1, 700_000])("%d bytes come back in their order", async (size) => {
  const path = join(tempFolder(), "index");
  const bytes = Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 31) >> 3));
  const file = new ScratchFile(path);
  for (let at = 0; at < size; at += 100_003) file.append(bytes.subarray(at, at + 100_003));
  expect((await readAll(file)).equals(bytes)).toBe(true);
  file.discard();
});

test("is made when it is needed, and gone when it is discarded", async () => {
  const path = join(tempFolder(), "index");
  const file = new ScratchFile(path);
  expect(await readAll(file)).toHaveLength(0);
  file.discard();
  expect(existsSync(path)).toBe(false);
  file.append(Buffer.from("x"));
  expect(existsSync(path)).toBe(true);
  file.discard();
  file.discard();
  expect(existsSync(path)).toBe(false);
});

test.each([
  ["/dev/full", "LOCAL_DISK_FULL"],
  ["/no/such/folder/index", "LOCAL_IO"],
])("%s: %s", (path, code) => {
  expect(() => new ScratchFile(path).append(Buffer.from("x"))).toThrow(expect.objectContaining({ code }));
});
