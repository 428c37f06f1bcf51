import { expect, test } from "vitest";
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
