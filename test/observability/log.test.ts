import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { LogSettings } from "../../src/config/settings.ts";
import { createLog } from "../../src/observability/log.ts";

const clock = { ...systemClock, now: () => Date.UTC(2026, 0, 31, 12) };

function lines(settings: LogSettings, color = false) {
  const written: string[] = [];
  return { written, log: createLog(settings, { clock, color, write: (line) => written.push(line) }) };
}

describe("createLog", () => {
  test("JSON: time, level, facts, message; 64-bit integers whole", () => {
    const { log, written } = lines({ level: "info", format: "json" });
    log.info({ database: "app", txid: 2n ** 63n + 1n }, "hello");
    expect(written).toEqual([
      '{"level":"info","time":"2026-01-31T12:00:00.000Z","database":"app","txid":9223372036854775809,"message":"hello"}\n',
    ]);
  });

  test("text: facts behind the message", () => {
    const { log, written } = lines({ level: "info", format: "text" });
    log.warn(
      { url: "s3://copies", attempt: 2, txid: 2n ** 63n + 1n, reason: "not there" },
      "storage is away",
    );
    expect(written).toEqual([
      '2026-01-31T12:00:00.000Z WARN  storage is away url=s3://copies attempt=2 txid=9223372036854775809 reason="not there"\n',
    ]);
  });

  test("colour only when asked for", () => {
    const { log, written } = lines({ level: "info", format: "text" }, true);
    log.error({}, "no");
    expect(written[0]).toContain("\u001b[31mERROR");
  });

  test.each([
    ["error", ["error"]],
    ["info", ["error", "warn", "info"]],
    ["trace", ["error", "warn", "info", "debug", "trace"]],
  ] as const)("level %s lets %j through", (level, expected) => {
    const { log, written } = lines({ level, format: "json" });
    for (const name of ["error", "warn", "info", "debug", "trace"] as const) log[name]({}, name);
    expect(written.map((line) => JSON.parse(line).message)).toEqual(expected);
  });
});
