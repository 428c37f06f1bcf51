import { describe, expect, test } from "vitest";
import { StopRequest } from "../../src/cli/context.ts";
import { reportError } from "../../src/cli/report-error.ts";
import { WalrustError } from "../../src/errors.ts";
import { fakeContext } from "../helpers/cli/fake-context.ts";

const error = new WalrustError("STORAGE_AUTH", "s3://copies: refused", {
  hint: "Check the keys.",
  details: { status: 403 },
});

describe("reportError", () => {
  test("message and hint for people", () => {
    const context = fakeContext();
    expect(reportError(error, context, { json: false })).toBe(4);
    expect(context.complained()).toBe("error: s3://copies: refused\nCheck the keys.\n");
    expect(context.printed()).toBe("");
  });

  test("and a document for machines", () => {
    const context = fakeContext();
    reportError(error, context, { json: true });
    expect(JSON.parse(context.printed())).toEqual({
      error: {
        code: "STORAGE_AUTH",
        message: "s3://copies: refused",
        hint: "Check the keys.",
        exit_code: 4,
        retryable: false,
        details: { status: 403 },
      },
    });
  });

  test.each([
    [{ isTTY: true }, true],
    [{ isTTY: false }, false],
    [{ isTTY: true, env: { NO_COLOR: "1" } }, false],
    [{ isTTY: true, env: { TERM: "dumb" } }, false],
  ])("colour with %j: %j", (options, colored) => {
    const context = fakeContext(options);
    reportError(error, context, { json: false });
    expect(context.complained().includes("\u001b[31m")).toBe(colored);
  });

  test("our own mistakes show where they were made", () => {
    const context = fakeContext();
    expect(reportError(new TypeError("x is not a function"), context, { json: false })).toBe(1);
    expect(context.complained()).toMatch(
      /^error: unexpected: x is not a function\n.*report it\.\nTypeError: [\s\S]* at /,
    );
  });

  test("being stopped is no mistake", () => {
    const context = fakeContext();
    expect(reportError(new StopRequest("SIGTERM"), context, { json: false })).toBe(1);
    expect(context.complained()).toBe("error: stopped before it was done\n");
  });
});
