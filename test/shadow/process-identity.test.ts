import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { expect, test } from "vitest";
import { mayBeAlive, ownIdentity } from "../../src/shadow/process-identity.ts";

test("this process is alive", () => {
  const own = ownIdentity();
  expect(own).toMatchObject({ host: hostname(), pid: process.pid });
  expect(mayBeAlive(own)).toBe(true);
});

test.runIf(process.platform === "linux")("the same pid in another life is another process", () => {
  const own = ownIdentity();
  expect(own.started).toMatch(/^\d+$/);
  expect(mayBeAlive({ ...own, started: `${own.started}1` })).toBe(false);
});

test("where the start is not known, the pid decides", () => {
  expect(mayBeAlive({ ...ownIdentity(), started: "" })).toBe(true);
});

test("a process that has ended is not alive", async () => {
  const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
  await once(child, "exit");
  expect(mayBeAlive({ host: hostname(), pid: child.pid ?? 0, started: "" })).toBe(false);
});

test("a process of another host is taken for alive", () => {
  expect(mayBeAlive({ host: `not-${hostname()}`, pid: 2 ** 22 + 1, started: "1" })).toBe(true);
});
