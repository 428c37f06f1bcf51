import { describe, expect, test } from "vitest";
import { printJson, printLine } from "../../src/cli/output.ts";
import { startProgress } from "../../src/cli/progress.ts";
import { reportError } from "../../src/cli/report-error.ts";
import { formatTable } from "../../src/cli/table.ts";
import { WalrustError } from "../../src/errors.ts";
import { parse, stringify } from "../../src/json.ts";
import { createLog } from "../../src/observability/log.ts";
import { jsonReporter, logReporter } from "../../src/observability/reporter.ts";
import { webhookPayload } from "../../src/observability/webhook-payload.ts";
import { printable } from "../../src/printable.ts";
import { fakeContext } from "../helpers/cli/fake-context.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

/*
 * Names of files, answers of storages and texts of SQLite come from others. Wherever they are written to a terminal or a log, they must
 * not be orders to the terminal, must not turn text around, and must not look like entries of the log.
 */

/** Clears the screen, sets the title, answers into the shell, and writes "ok" over what stands there; in 7 and in 8 bits. */
const ORDERS = [
  "\u001b[2J\u001b[H",
  "\u001b]0;owned\u0007",
  "\u001b]52;c;cm0gLXJm\u001b\\",
  "\u009b31m",
  "\u009d0;owned\u009c",
  "\u0090q\u009c",
  "\b\b\b ok",
  "\rok",
  "\u007f",
  "\u0000",
  "\u000e",
  "\u202egpj.",
  "\u2066x\u2069",
  "\u2028",
] as const;
const HOSTILE = `evil ${ORDERS.join(" ")}`;
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not come out
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

function expectHarmless(text: string, where: string): void {
  expect(text, where).toContain("evil");
  expect(UNSAFE.exec(text)?.[0], where).toBeUndefined();
}

test.each(ORDERS)("%j is shown, and not obeyed", (order) => {
  const shown = printable(`a${order}z`);
  expect(UNSAFE.test(shown)).toBe(false);
  expect(shown).toMatch(/^a.*\\u[0-9a-f]{4}.*z$/);
  // JSON of it means the same.
  expect(parse(printable(JSON.stringify(order)))).toBe(order);
  expect(parse(stringify({ name: order }) ?? "")).toEqual({ name: order });
});

test("what is text in any language stays as it is", () => {
  const text = "äöü 日本語 עברית العربية 🗄️ é e\u0301 a\u200db\tc\nd \\u001b";
  expect(printable(text)).toBe(text);
});

describe("nothing that is printed gives orders", () => {
  const error = new WalrustError("STORAGE_REJECTED", HOSTILE, { hint: HOSTILE, details: { key: HOSTILE } });
  const clock = new ManualClock();

  test("results, as text, as table and as JSON", () => {
    const context = fakeContext();
    printLine(context, HOSTILE);
    printLine(context, formatTable([{ title: "NAME" }], [[HOSTILE]]));
    printJson(context, { name: HOSTILE });
    expectHarmless(context.printed(), "stdout");
  });

  test("columns stay under each other", () => {
    const table = formatTable(
      [{ title: "NAME" }, { title: "SIZE" }],
      [
        ["\u202eab", "1"],
        ["plain", "2"],
      ],
    );
    const [head = "", ...rows] = printable(table).split("\n");
    expect(rows.map((row) => row.search(/\d$/))).toEqual([head.indexOf("SIZE"), head.indexOf("SIZE")]);
  });

  test.each([
    ["an error", error],
    ["a bug", new Error(HOSTILE)],
  ])("%s", (_what, thrown) => {
    const context = fakeContext();
    reportError(thrown, context, { json: true });
    expectHarmless(context.complained(), "stderr");
    expectHarmless(context.printed(), "stdout");
  });

  test("progress", () => {
    const context = fakeContext();
    const progress = startProgress(context, HOSTILE);
    context.nowMs += 10_000;
    progress.update(1, 2);
    progress.stop();
    expectHarmless(context.complained(), "stderr");
  });

  test.each(["text", "json"] as const)("the log, as %s", (format) => {
    let written = "";
    const write = (line: string) => {
      written += line;
    };
    const log = createLog({ level: "trace", format }, { clock, color: false, write });
    log.info({ path: HOSTILE }, HOSTILE);
    logReporter(log)({ type: "fenced", database: HOSTILE, error });
    expectHarmless(written, format);
    expect(written.trimEnd().split("\n")).toHaveLength(2);
  });

  test("a newline makes no entry of the log", () => {
    let written = "";
    const write = (line: string) => {
      written += line;
    };
    const output = { clock, color: false, write };
    const forged = "2026-01-31T12:00:00.000Z INFO  app: all is well";
    createLog({ level: "info", format: "text" }, output).warn({}, `app\n${forged}`);
    expect(written).toContain(forged);
    expect(written.split("\n").filter((line) => line.startsWith(forged))).toEqual([]);
  });

  test("events and webhooks", () => {
    let written = "";
    const event = { type: "sync_failed", database: HOSTILE, error, attempts: 1 } as const;
    jsonReporter(clock, (line) => {
      written += line;
    })(event);
    expectHarmless(written, "an event");
    expectHarmless(webhookPayload(event, { timestampMs: 0, version: "1" }), "a webhook");
  });
});
