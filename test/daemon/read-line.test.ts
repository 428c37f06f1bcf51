import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test, vi } from "vitest";
import { readLine } from "../../src/daemon/read-line.ts";

const socket = () => new PassThrough() as unknown as Socket & PassThrough;

test("the first line, in whatever pieces it comes", async () => {
  const side = socket();
  const line = readLine(side, 100);
  for (const piece of ["wal", "rus", "t\nand more"]) side.write(piece);
  expect(await line).toBe("walrust");
});

test.each<readonly [string, (side: PassThrough) => void, RegExp]>([
  ["a line that is too long", (side) => void side.write("x".repeat(200)), /too long/],
  ["an end before the end of a line", (side) => void side.destroy(), /closed/],
])("%s is refused", async (_, misbehave, message) => {
  const side = socket();
  const line = readLine(side, 100);
  misbehave(side);
  await expect(line).rejects.toThrow(message);
});

test("what follows the line does not pile up", async () => {
  const side = socket();
  const line = readLine(side, 100);
  side.write("walrust\n");
  await line;
  const before = heldBytes();
  for (let i = 0; i < 512; i++) side.emit("data", Buffer.alloc(64 * 1024, i));
  // what nobody holds is given back by another thread
  await vi.waitFor(() => expect(heldBytes() - before).toBeLessThan(4 * 1024 * 1024), 30_000);
});

/** Of buffers, without those that nobody holds. */
function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().arrayBuffers;
}
