import { createHmac } from "node:crypto";
import { createServer } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test, vi } from "vitest";
import type { WebhookSettings } from "../../src/config/settings.ts";
import { WalrustError } from "../../src/errors.ts";
import { type WalrustEvent, WEBHOOK_EVENTS } from "../../src/events.ts";
import { silentLog } from "../../src/observability/silent-log.ts";
import { Webhooks } from "../../src/observability/webhooks.ts";
import { HttpSink } from "../helpers/http-sink.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

const TOKEN = "token-in-the-url";
const SECRET = "a secret";

const error = new WalrustError("STORAGE_NETWORK", "s3://copies: no route", { hint: "Check the network." });

const failed = (attempts = 1, database = "app"): WalrustEvent => ({
  database,
  type: "sync_failed",
  error,
  attempts,
});

const gap = (database: string): WalrustEvent => ({
  database,
  type: "gap_repaired",
  reason: "sequence",
  txid: 2n ** 60n + 1n,
  pages: 5,
});

function scene(...hooks: readonly WebhookSettings[]) {
  const clock = new ManualClock(Date.UTC(2026, 0, 31, 12));
  const lines: string[] = [];
  const write = (facts: object, message: string) => lines.push(`${JSON.stringify(facts)} ${message}`);
  const log = { ...silentLog, info: write, warn: write, error: write };
  const webhooks = new Webhooks(hooks, { clock, log, version: "1.2.3" });
  return { clock, lines, webhooks };
}

const hookAt = (origin: string, own: Partial<WebhookSettings> = {}): WebhookSettings => ({
  url: `${origin}/hook/${TOKEN}?key=${TOKEN}`,
  events: [],
  ...own,
});

const LIMIT = { timeout: 40_000, interval: 5 };

test("the document, signed over its raw bytes", async () => {
  const sink = await HttpSink.start();
  const { webhooks } = scene(hookAt(sink.origin, { secret: SECRET }));
  webhooks.hear(failed(3));
  webhooks.hear(gap("täglich"));
  await webhooks.close();
  expect(sink.documents).toEqual([
    {
      event: "sync_failed",
      database: "app",
      error: "s3://copies: no route",
      attempts: 3,
      timestamp: "2026-01-31T12:00:00.000Z",
      version: "1.2.3",
      context: {
        error: {
          code: "STORAGE_NETWORK",
          message: "s3://copies: no route",
          hint: "Check the network.",
          exit_code: 4,
          retryable: true,
          details: {},
        },
      },
    },
    expect.objectContaining({ event: "gap_repaired", database: "täglich", error: null, attempts: null }),
  ]);
  expect(sink.received[1]?.body).toContain('"txid":1152921504606846977');
  for (const { method, url, headers, body } of sink.received) {
    expect({ method, url }).toEqual({ method: "POST", url: `/hook/${TOKEN}?key=${TOKEN}` });
    expect(headers["content-type"]).toBe("application/json");
    expect(headers["user-agent"]).toBe("walrust/1.2.3");
    const signature = createHmac("sha256", SECRET).update(Buffer.from(body)).digest("hex");
    expect(headers["x-walrust-signature"]).toBe(`sha256=${signature}`);
  }
});

test("every event of the contract is told, no other, and only to who wants it", async () => {
  const [all, fenced] = [await HttpSink.start(), await HttpSink.start()];
  const { webhooks } = scene(hookAt(all.origin), hookAt(fenced.origin, { events: ["fenced"] }));
  const told: WalrustEvent[] = [
    failed(),
    gap("app"),
    ...(["auth_failure", "corruption_detected", "circuit_breaker_open", "fenced"] as const).map(
      (type): WalrustEvent => ({ database: "app", type, error }),
    ),
    { database: "app", type: "wal_size_exceeded", pages: 2, thresholdPages: 1 },
    { database: "app", type: "shadow_full", sizeBytes: 2, limitBytes: 1 },
    { database: "app", type: "validation_failed", findings: 1, error },
    { database: "app", type: "replica_diverged", path: "/r", error },
  ];
  expect(new Set(told.map(({ type }) => type))).toEqual(new Set(WEBHOOK_EVENTS));
  for (const event of told) webhooks.hear(event);
  webhooks.hear({ database: "app", type: "recovered", afterMs: 1 });
  webhooks.hear({ database: "app", type: "parked", txid: 1n });
  await webhooks.close();
  expect(all.documents.map(({ event }) => event)).toEqual(told.map(({ type }) => type));
  expect(fenced.documents.map(({ event }) => event)).toEqual(["fenced"]);
  expect(fenced.received[0]?.headers).not.toHaveProperty("x-walrust-signature");
});

test("an outage is told at its start, then once a minute with what it counts; others are not held back by it", async () => {
  const sink = await HttpSink.start();
  const { clock, webhooks } = scene(hookAt(sink.origin));
  const toldBy = (second: number) => [0, 5, 60, 120].filter((at) => at <= second).length;
  for (let second = 0; second < 180; second += 1) {
    webhooks.hear(failed(second + 1));
    if (second === 5) webhooks.hear(failed(1, "other"));
    if (second === 10) webhooks.hear({ database: "app", type: "recovered", afterMs: 1 });
    // the answer is there before time goes on
    await vi.waitUntil(() => sink.received.length === toldBy(second) && clock.sleepers === 0, LIMIT);
    await clock.advance(1000);
  }
  await webhooks.close();
  expect(sink.documents.map(({ database, attempts }) => `${database} ${attempts}`)).toEqual([
    "app 1",
    "other 1",
    "app 61",
    "app 121",
  ]);
});

test.each([
  [
    "says 503",
    (sink: HttpSink) => {
      sink.answer = (response) => void response.writeHead(503).end();
    },
  ],
  [
    "says 429",
    (sink: HttpSink) => {
      sink.answer = (response) => void response.writeHead(429).end();
    },
  ],
  [
    "hangs up",
    (sink: HttpSink) => {
      sink.answer = (response) => void response.destroy();
    },
  ],
  [
    "never answers",
    (sink: HttpSink) => {
      sink.answer = undefined;
    },
  ],
] as const)("one that %s is asked again, later and later, and gets all in order", async (_, breakIt) => {
  const sink = await HttpSink.start();
  const { clock, lines, webhooks } = scene(hookAt(sink.origin, { secret: SECRET }));
  breakIt(sink);
  for (const name of ["a", "b", "c"]) webhooks.hear(gap(name));
  const startMs = clock.monotonicMs();
  await vi.waitUntil(async () => {
    await clock.advance(500);
    return sink.received.length >= 4;
  }, LIMIT);
  expect(clock.monotonicMs() - startMs, "1 + 2 + 4 s between four tries").toBeGreaterThanOrEqual(7000);
  expect(
    sink.documents.every(({ database }) => database === "a"),
    "the first comes first",
  ).toBe(true);
  const tries = sink.received.length;
  sink.answer = (response) => void response.writeHead(200).end("fine");
  await vi.waitUntil(async () => {
    await clock.advance(500);
    return new Set(sink.documents.map(({ database }) => database)).size === 3;
  }, LIMIT);
  await webhooks.close();
  // one whose answer came too late, as the clock has it, was told twice
  const last = sink.documents.slice(tries).map(({ database }) => database);
  expect(last.filter((name, index) => name !== last[index - 1])).toEqual(["a", "b", "c"]);
  expect(lines).toEqual([
    expect.stringContaining("does not take events"),
    expect.stringContaining("takes events again"),
  ]);
  expect(lines.join(), "neither path nor secret is said").not.toMatch(new RegExp(`${TOKEN}|${SECRET}|hook/`));
  expect(lines[0]).toContain(sink.origin);
});

test.each([
  ["refuses", 400, {}],
  ["is gone", 410, {}],
  ["redirects", 307, { location: "http://127.0.0.1:9/elsewhere" }],
] as const)("one that %s (%d) is not asked again for that event", async (_, status, headers) => {
  const sink = await HttpSink.start();
  const { clock, lines, webhooks } = scene(hookAt(sink.origin));
  sink.answer = (response) => void response.writeHead(status, headers).end();
  webhooks.hear(gap("a"));
  webhooks.hear(gap("b"));
  await webhooks.close();
  expect(sink.documents.map(({ database }) => database)).toEqual(["a", "b"]);
  expect(lines).toEqual(
    Array.from({ length: 2 }, () => expect.stringContaining(`refused an event (answered ${status})`)),
  );
  expect(clock.sleepers).toBe(0);
});

test("one that cannot be reached for an hour: nobody waits, little is kept, and it is said what was lost (pitfalls 49, 50)", async () => {
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
  const { port } = closed.address() as { port: number };
  await new Promise((resolve) => closed.close(resolve));
  const { clock, lines, webhooks } = scene(hookAt(`http://127.0.0.1:${port}`));
  const beforeBytes = heapBytes();
  for (let minute = 0; minute < 60; minute += 1) {
    for (let database = 0; database < 500; database += 1) webhooks.hear(gap(`database-${database}`));
    await clock.advance(60_000);
  }
  expect(heapBytes() - beforeBytes, "bytes for 30,000 events").toBeLessThan(3e6);
  await webhooks.close();
  expect(lines.at(-1)).toContain("events that were not delivered");
  expect(lines.at(-1)).toContain('"lost":30000');
  expect(clock.sleepers).toBe(0);
});

test("the end waits for what is still to be told, but not for ever (pitfall 50)", async () => {
  const sink = await HttpSink.start();
  const { clock, lines, webhooks } = scene(hookAt(sink.origin));
  sink.answer = (response) => void response.writeHead(500).end();
  webhooks.hear(gap("a"));
  await vi.waitUntil(() => sink.received.length === 1 && clock.sleepers === 1, LIMIT);
  webhooks.hear(gap("b"));
  sink.answer = (response) => void response.writeHead(200).end();
  await webhooks.close(); // without a second of the clock: a pause before the next try is cut short
  expect(sink.documents.map(({ database }) => database)).toEqual(["a", "a", "b"]);
  expect(lines.at(-1)).toContain("takes events again");

  const stuck = scene(hookAt(sink.origin));
  sink.answer = undefined;
  stuck.webhooks.hear(gap("c"));
  await vi.waitUntil(() => sink.received.length === 4, LIMIT);
  let isClosed = false;
  const closing = stuck.webhooks.close().then(() => {
    isClosed = true;
  });
  await stuck.clock.advance(4999);
  expect(isClosed).toBe(false);
  await stuck.clock.advance(1);
  await closing;
  expect(stuck.lines.at(-1)).toContain("events that were not delivered: 1");
});

test("a webhook that fails does not hold the other back", async () => {
  const [bad, good] = [await HttpSink.start(), await HttpSink.start()];
  bad.answer = undefined;
  const { webhooks, clock } = scene(hookAt(bad.origin), hookAt(good.origin));
  webhooks.hear(gap("a"));
  webhooks.hear(gap("b"));
  await vi.waitUntil(() => good.received.length === 2, LIMIT);
  expect(bad.received.length).toBeLessThanOrEqual(1);
  const closing = webhooks.close();
  await clock.advance(5000);
  await closing;
});

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
