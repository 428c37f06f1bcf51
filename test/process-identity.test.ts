import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { isMarkOfTheDead, mayBeAlive, ownIdentity, ownMark } from "../src/process-identity.ts";

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

describe("a mark in a file's name", () => {
  test("tells nothing but letters, digits and dashes", () => {
    expect(ownMark()).toMatch(/^[0-9a-f]{8}-\d+-\d*$/);
  });

  const [host = "", pid = "", started = ""] = ownMark().split("-");

  test("of a process of this machine that has ended", async () => {
    const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
    await once(child, "exit");
    expect(isMarkOfTheDead(`${host}-${child.pid}-1`)).toBe(true);
  });

  test.runIf(process.platform === "linux")("of this pid in another life", () => {
    expect(isMarkOfTheDead(`${host}-${pid}-${started}1`)).toBe(true);
  });

  test.each([
    ["of this process", () => ownMark()],
    ["of another machine", () => `00000000-${pid}-${started}1`],
    ["that is none", () => "abc"],
    ["that is nothing", () => ""],
    ["with more behind it", () => `${host}-${pid}-${started}1-2`],
  ])("%s proves no death", (_, mark) => {
    expect(isMarkOfTheDead(mark())).toBe(false);
  });
});
