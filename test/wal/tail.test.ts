import { expect, test } from "vitest";
import type { LogPosition } from "../../src/wal/position.ts";
import { logTail } from "../../src/wal/tail.ts";
import { LogBuilder } from "../helpers/wal/log-builder.ts";

const PAGE_SIZE = 512;
const FRAME = 24 + PAGE_SIZE;
const SALTS = { salt1: 100, salt2: 7 };
const NEXT = { salt1: 101, salt2: 8 };

/** Generation 1 with three commits, and the place behind the second or the third of them. */
const log = () =>
  new LogBuilder({ pageSizeBytes: PAGE_SIZE, ...SALTS }).commit([1], 3).commit([2], 3).commit([3], 3);
const bytes = log().build();

function cursorBehind(frames: number): LogPosition {
  const view = new DataView(bytes.buffer, 32 + (frames - 1) * FRAME, 24);
  return {
    ...{ sequence: 0, ...SALTS, offset: 32 + frames * FRAME },
    ...{ checksum1: view.getUint32(16), checksum2: view.getUint32(20) },
  };
}

/** The next generation, written over `over`. */
const next = (frames: number, over: Uint8Array) => {
  const builder = new LogBuilder({ pageSizeBytes: PAGE_SIZE, ...NEXT, over });
  for (let frame = 1; frame <= frames; frame += 1) builder.commit([frame], 3);
  return builder.build();
};

const older = new LogBuilder({ pageSizeBytes: PAGE_SIZE, salt1: 99, salt2: 6 })
  .commit([1, 2, 3, 4, 5], 5)
  .build();
const overOlder = new LogBuilder({ pageSizeBytes: PAGE_SIZE, ...SALTS, over: older })
  .commit([1], 3)
  .commit([2], 3)
  .commit([3], 3)
  .build();

test.each([
  ["nothing happened", bytes, "whole"],
  ["the next generation is shorter by two", next(1, bytes), "whole"],
  ["by one", next(2, bytes), "whole"],
  ["it has overwritten the last frame", next(3, bytes), "unknown"],
  ["and went on", next(5, bytes), "unknown"],
  ["frames of an older generation lie behind", overOlder, "whole"],
  ["the same, and the next generation began", next(1, overOlder), "whole"],
  ["something was appended", log().commit([1], 3).build(), "unknown"],
  [
    "something was appended before the next generation began",
    next(1, log().commit([1], 3).build()),
    "unknown",
  ],
  ["something uncommitted was appended", log().frame(1).build(), "unknown"],
  ["the file was cut", bytes.subarray(0, 32 + 2 * FRAME), "unknown"],
  [
    "the file was cut within the header of a frame behind",
    log()
      .commit([1], 3)
      .build()
      .subarray(0, 32 + 3 * FRAME + 20),
    "unknown",
  ],
  ["the file was cut within the last frame's page", bytes.subarray(0, 32 + 2 * FRAME + 24), "unknown"],
  ["the file was cut just before its last byte", bytes.subarray(0, 32 + 3 * FRAME - 1), "unknown"],
  ["the file was cut within the last frame's header", bytes.subarray(0, 32 + 2 * FRAME + 23), "unknown"],
  ["the file was cut to nothing, and the next generation began", next(1, new Uint8Array(32)), "unknown"],
  ["there is no file", new Uint8Array(0), "unknown"],
])("%s", (_, file, expected) => {
  const read = (into: Uint8Array, offset: number) => {
    const piece = file.subarray(offset, offset + into.length);
    into.set(piece);
    return piece.length;
  };
  expect(logTail(cursorBehind(3), PAGE_SIZE, read)).toBe(expected);
});

test("the last frame was written anew in the same generation", () => {
  const read = (into: Uint8Array, offset: number) => {
    into.set(bytes.subarray(offset, offset + into.length));
    return into.length;
  };
  const other = { ...cursorBehind(3), checksum2: 1 };
  expect(logTail(other, PAGE_SIZE, read)).toBe("unknown");
  expect(logTail({ ...other, offset: 32 }, PAGE_SIZE, read)).toBe("unknown");
});
