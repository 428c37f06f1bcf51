import { expect, test } from "vitest";
import * as layout from "../../src/wasm/layout.ts";
import { expectStatus, statusError } from "../../src/wasm/status.ts";

const BAD = Object.entries(layout).filter(([name]) => name.startsWith("BAD_"));

test("every status is negative, its own, and about the bytes unless it is about the call", () => {
  expect(new Set(BAD.map(([, status]) => status)).size).toBe(BAD.length);
  for (const [name, status] of BAD) {
    expect(status).toBeLessThan(0);
    const error = statusError(status, { objectName: "db/x.ltx", offset: 7 });
    expect(error.code).toMatch(name === "BAD_CALL" ? /^INTERNAL$/ : /^INTEGRITY_(FORMAT|CHECKSUM)$/);
    expect(error.message).toMatch(/^db\/x\.ltx is damaged: .+, at byte 7$/);
  }
});

test("a count passes, anything negative of our own bytes is our own mistake", () => {
  expect(expectStatus(0, "x")).toBe(0);
  expect(expectStatus(5, "x")).toBe(5);
  expect(() => expectStatus(layout.BAD_LOCK_PAGE, "encoding")).toThrowError(
    expect.objectContaining({ code: "INTERNAL", message: expect.stringMatching(/^encoding: the lock page/) }),
  );
});
