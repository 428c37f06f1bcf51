import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type Cursor, formatCursor, parseCursor, readCursor, writeCursor } from "../../src/shadow/cursor.ts";
import { fillDisk } from "../helpers/full-disk.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const CURSOR: Cursor = {
  storageUrl: "s3://bucket/prefix",
  name: "tenants/a",
  dev: "66306",
  ino: String(2n ** 63n + 1n),
  boot: "f2d1c0de-0000-4000-8000-000000000001",
  pageSizeBytes: 4096,
  published: {
    txid: 7n,
    postApply: 2n ** 63n + 5n,
    commitPages: 12,
    timestampMs: 1_767_000_000_123,
    log: { sequence: 3, salt1: 0xffffffff, salt2: 1, offset: 8272, checksum1: 0x80000000, checksum2: 0 },
  },
};

const withPublished = (published: Partial<Cursor["published"]>): Cursor => ({
  ...CURSOR,
  published: { ...CURSOR.published, ...published },
});

describe("round trip", () => {
  test.each<readonly [string, Cursor]>([
    ["in a log", CURSOR],
    ["without a log", withPublished({ log: undefined })],
    ["TXID 0", withPublished({ txid: 0n })],
    ["TXID 2^53 + 1", withPublished({ txid: 2n ** 53n + 1n })],
    ["TXID 2^64 - 1", withPublished({ txid: 2n ** 64n - 1n })],
    ["checksum with bit 63 alone", withPublished({ postApply: 2n ** 63n })],
    ["checksum with all bits", withPublished({ postApply: 2n ** 64n - 1n })],
    [
      "offset beyond 2^32",
      withPublished({ log: { ...CURSOR.published.log, offset: 32 + 4120 * 2 ** 28 } as never }),
    ],
    ["names with quotes and newlines", { ...CURSOR, name: 'a"b\n\\ä', storageUrl: "file:///a\nb" }],
  ])("%s", async (_, cursor) => {
    expect(parseCursor(formatCursor(cursor))).toEqual(cursor);
    const path = join(tempFolder(), "cursor.json");
    await writeCursor(path, cursor);
    expect(readCursor(path)).toEqual(cursor);
  });
});

describe("what cannot be trusted is none", () => {
  test("every byte flipped", () => {
    const bytes = Buffer.from(formatCursor(CURSOR));
    for (let at = 0; at < bytes.length - 1; at += 1) {
      for (const bit of [0x01, 0x20, 0x80]) {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ bit;
        expect(parseCursor(damaged.toString("utf8")), `byte ${at}`).toBeUndefined();
      }
    }
  });

  test("every cut", () => {
    const text = formatCursor(CURSOR);
    for (let length = 0; length < text.length - 1; length += 1)
      expect(parseCursor(text.slice(0, length)), `${length} bytes`).toBeUndefined();
  });

  test.each([
    ["nothing", ""],
    ["zeros", "\0".repeat(300)],
    ["an older shape", '{"txid":5}\n'],
    [
      "another version, whole",
      whole(formatCursor(CURSOR).split("\n")[0]?.replace('"version":1', '"version":2') ?? ""),
    ],
  ])("%s", (_, text) => {
    expect(parseCursor(text)).toBeUndefined();
  });

  test("no file; a folder in its place is an error", () => {
    const folder = tempFolder();
    expect(readCursor(join(folder, "cursor.json"))).toBeUndefined();
    mkdirSync(join(folder, "folder"));
    expect(() => readCursor(join(folder, "folder"))).toThrow(expect.objectContaining({ code: "LOCAL_IO" }));
  });
});

test("a write that fails leaves the cursor before it", async () => {
  const folder = tempFolder();
  const path = join(folder, "cursor.json");
  await writeCursor(path, CURSOR);
  fillDisk();
  await expect(writeCursor(path, withPublished({ txid: 8n }))).rejects.toMatchObject({
    code: "LOCAL_DISK_FULL",
  });
  expect(readCursor(path)).toEqual(CURSOR);
  expect(readdirSync(folder)).toEqual(["cursor.json"]);
});

test("what a crash left of a write is overwritten", async () => {
  const path = join(tempFolder(), "cursor.json");
  writeFileSync(`${path}.tmp`, "x".repeat(10_000));
  await writeCursor(path, CURSOR);
  expect(readCursor(path)).toEqual(CURSOR);
});

function whole(body: string): string {
  return `${body}\n${crc32(body).toString(16)}\n`;
}
