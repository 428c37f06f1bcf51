import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readWriterNote, type WriterNote, writeWriterNote } from "../../src/replication/writer-note.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const note: WriterNote = {
  storageUrl: "s3://copies/production",
  name: "app",
  id: 2n ** 64n - 1n,
  epoch: 7,
  taking: 8,
  waitsUntilMs: 1_767_323_045_678,
  place: { host: "db-1", folder: "123456789", boot: "b-1" },
};

const path = () => join(tempFolder(), "writer.json");

test("is read as it was written", async () => {
  const at = path();
  await writeWriterNote(at, note);
  expect(readWriterNote(at)).toEqual(note);
});

test("none is there", () => {
  expect(readWriterNote(path())).toBeUndefined();
});

test("cut or flipped anywhere, it is none", async () => {
  const at = path();
  await writeWriterNote(at, note);
  const whole = readFileSync(at);
  for (let i = 0; i < whole.length - 1; i += 1) {
    writeFileSync(at, whole.subarray(0, i));
    expect(readWriterNote(at), `cut at ${i}`).toBeUndefined();
    const flipped = Buffer.from(whole);
    flipped[i] = (flipped[i] ?? 0) ^ 1;
    writeFileSync(at, flipped);
    expect(readWriterNote(at), `flipped at ${i}`).toBeUndefined();
  }
});
