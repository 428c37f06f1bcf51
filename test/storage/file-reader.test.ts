import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Clock } from "../../src/clock.ts";
import { pieces } from "../../src/storage/file-read.ts";
import { FileReader } from "../../src/storage/file-reader.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const SMALL = 1000;

function fileOf(text: string): string {
  const path = join(tempFolder(), "object");
  writeFileSync(path, text);
  return path;
}

/** Each look at the clock is so much later than the one before. */
function clockThatJumps(stepMs: () => number): Clock {
  const clock = new ManualClock();
  let nowMs = 0;
  return Object.assign(Object.create(clock) as Clock, {
    monotonicMs: () => {
      nowMs += stepMs();
      return nowMs;
    },
  });
}

const isHere = (opened: unknown) => !(opened instanceof Promise);

async function textOf(reader: FileReader, path: string, sizeBytes: number): Promise<string> {
  const file = await reader.open(path, sizeBytes);
  try {
    const parts: Buffer[] = [];
    for await (const piece of pieces(file, "object", 0, sizeBytes, undefined)) parts.push(Buffer.from(piece));
    return Buffer.concat(parts).toString();
  } finally {
    await file.close();
  }
}

test("small files are opened on this thread, where nobody needs it, and large ones off it", async () => {
  const path = fileOf("some bytes");
  const reader = new FileReader(new ManualClock(), true);
  for (const [bytes, here] of [
    [SMALL, true],
    [2 ** 20, false],
    [undefined, false],
  ] as const) {
    const opened = reader.open(path, bytes);
    expect(isHere(opened), String(bytes)).toBe(here);
    await (await opened).close();
  }
});

test("never where somebody else may need the thread", async () => {
  const path = fileOf("some bytes");
  const reader = new FileReader(new ManualClock(), false);
  const opened = reader.open(path, SMALL);
  expect([isHere(opened), isHere(reader.look(path))]).toEqual([false, false]);
  await (await opened).close();
});

test("what takes long is asked for off the thread, sixteen calls, then it is tried again", () => {
  const path = fileOf("some bytes");
  let stepMs = 1;
  const reader = new FileReader(
    clockThatJumps(() => stepMs),
    true,
  );
  expect(isHere(reader.look(path))).toBe(true);
  stepMs = 0;
  const looks = Array.from({ length: 18 }, () => isHere(reader.look(path)));
  expect(looks.indexOf(true)).toBe(16);
  expect(looks[17]).toBe(true);
});

test("files beside one another do not share memory, and one after the other does", async () => {
  const reader = new FileReader(new ManualClock(), true);
  const [a, b] = [fileOf("aaaa"), fileOf("bbbb")];
  const first = await reader.open(a, SMALL);
  const memory = first.buffer(4);
  await first.read(memory, 0);
  expect(await textOf(reader, b, 4)).toBe("bbbb");
  expect(Buffer.from(memory).toString()).toBe("aaaa");
  await first.close();
  const next = await reader.open(b, SMALL);
  expect(next.buffer(4).buffer).toBe(memory.buffer);
  await next.close();
});

test.each([true, false])("what cannot be opened is said, on this thread: %s", async (mayBlock) => {
  const reader = new FileReader(new ManualClock(), mayBlock);
  const folder = join(tempFolder(), "folder");
  mkdirSync(folder);
  await expect(async () => reader.open(`${folder}/gone`, SMALL)).rejects.toMatchObject({ code: "ENOENT" });
  await expect(async () => reader.look(`${folder}/gone`)).rejects.toMatchObject({ code: "ENOENT" });
  const opened = await reader.open(folder, SMALL);
  expect(opened.facts.isDirectory()).toBe(true);
  await opened.close();
});
