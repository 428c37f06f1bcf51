import { describe, expect, test } from "vitest";
import { Backoff, type BackoffNews } from "../../src/daemon/backoff.ts";
import { WalrustError } from "../../src/errors.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

const away = new WalrustError("STORAGE_UNAVAILABLE", "away");

function scene() {
  const clock = new ManualClock();
  const news: BackoffNews[] = [];
  return { clock, news, backoff: new Backoff(clock, (piece) => news.push(piece)) };
}

test("soon, then less often, never less than every two seconds (pitfall 58)", () => {
  const { clock, backoff } = scene();
  const delays = Array.from({ length: 200 }, () => backoff.failed(away) - clock.monotonicMs());
  expect(delays.slice(0, 5)).toEqual([250, 500, 1000, 1000, 1000]);
  expect(Math.max(...delays)).toBe(1000);
});

test("what only a person can mend: every 15 s", () => {
  const { clock, backoff } = scene();
  clock.pass(1000);
  expect(backoff.failed(new WalrustError("STORAGE_AUTH", "no"))).toBe(16_000);
});

test("tells each failure and its number, and how long it all took; then it begins anew", () => {
  const { clock, news, backoff } = scene();
  backoff.succeeded();
  expect(news).toEqual([]);
  expect(backoff.isTroubled).toBe(false);
  clock.pass(500);
  backoff.failed(away);
  clock.pass(250);
  backoff.failed(away);
  expect(backoff.isTroubled).toBe(true);
  clock.pass(1000);
  backoff.succeeded();
  backoff.succeeded();
  expect(news).toEqual([
    { kind: "failed", error: away, attempts: 1 },
    { kind: "failed", error: away, attempts: 2 },
    { kind: "recovered", afterMs: 1250 },
  ]);
  expect(backoff.failed(away) - clock.monotonicMs()).toBe(250);
});

describe("a lock", () => {
  const locked = new WalrustError("DATABASE_LOCKED", "busy");

  test("that goes by itself is not told, nor that it went", () => {
    const { clock, news, backoff } = scene();
    for (const untilMs = clock.monotonicMs() + 4500; clock.monotonicMs() < untilMs; )
      clock.pass(backoff.failed(locked) - clock.monotonicMs());
    expect(backoff.isTroubled).toBe(true);
    backoff.succeeded();
    expect(news).toEqual([]);
    backoff.failed(locked);
    expect(news, "the next one is another").toEqual([]);
  });

  test("that stays is told after some seconds, and again each time", () => {
    const { clock, news, backoff } = scene();
    for (const untilMs = clock.monotonicMs() + 8000; clock.monotonicMs() < untilMs; )
      clock.pass(backoff.failed(locked) - clock.monotonicMs());
    const told = news.map((piece) => (piece.kind === "failed" ? piece.attempts : "recovered"));
    expect(told).toEqual([8, 9, 10]);
    backoff.succeeded();
    expect(news.at(-1)).toEqual({ kind: "recovered", afterMs: 8750 });
  });

  test("within other trouble is told, and other trouble behind it", () => {
    const { news, backoff } = scene();
    backoff.failed(away);
    backoff.failed(locked);
    backoff.succeeded();
    backoff.failed(locked);
    backoff.failed(away);
    expect(news.map((piece) => (piece.kind === "failed" ? piece.error.code : "recovered"))).toEqual([
      ...["STORAGE_UNAVAILABLE", "DATABASE_LOCKED", "recovered", "STORAGE_UNAVAILABLE"],
    ]);
  });

  test("that nobody waits for is told at once", () => {
    const { news, backoff } = scene();
    backoff.gaveUp(locked);
    expect(news).toEqual([{ kind: "failed", error: locked, attempts: 1 }]);
  });
});
