import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { Fault } from "../helpers/s3-server/faults.ts";
import { bytesOf, keysOf, readAll, refusal, type S3Bench, s3Bench } from "./support.ts";

let bench: S3Bench;
beforeEach(async () => {
  bench = await s3Bench();
  await bench.storage.put("db/a", bytesOf(10, 1));
  bench.server.requests.length = 0;
});
afterEach(() => {
  vi.restoreAllMocks();
  return bench.close();
});

const refuse = (status: number, code?: string): Fault => ({
  kind: "refuse",
  status,
  ...(code !== undefined && { code }),
});

/** Faults that pass, and what they are when they don't. */
const PASSING: readonly (readonly [string, Fault, ErrorCode])[] = [
  ["500", refuse(500, "InternalError"), "STORAGE_UNAVAILABLE"],
  ["500 without a word", refuse(500), "STORAGE_UNAVAILABLE"],
  ["502 from a proxy", { kind: "html", status: 502 }, "STORAGE_UNAVAILABLE"],
  ["503", refuse(503, "ServiceUnavailable"), "STORAGE_UNAVAILABLE"],
  ["503 slow down", refuse(503, "SlowDown"), "STORAGE_THROTTLED"],
  ["429", refuse(429), "STORAGE_THROTTLED"],
  ["408", refuse(408), "STORAGE_TIMEOUT"],
  ["400 request timeout", refuse(400, "RequestTimeout"), "STORAGE_TIMEOUT"],
  ["409 of a concurrent write", refuse(409, "ConditionalRequestConflict"), "STORAGE_UNAVAILABLE"],
  ["a damaged body", refuse(400, "XAmzContentSHA256Mismatch"), "STORAGE_NETWORK"],
  ["a connection that breaks", { kind: "reset", when: "before" }, "STORAGE_NETWORK"],
];

const CALLS: Record<string, (storage: Storage) => Promise<unknown>> = {
  check: (storage) => storage.check(),
  put: (storage) => storage.put("db/b", bytesOf(10, 1)),
  "put if absent": (storage) => storage.put("db/b", bytesOf(10, 1), { condition: { kind: "absent" } }),
  get: (storage) => storage.get("db/a", { maxBytes: 100 }),
  read: (storage) => readAll(storage.read("db/a", { offset: 3 })),
  list: (storage) => keysOf(storage.list("db/")),
  delete: (storage) => storage.delete(["db/a"]),
};

describe.each(Object.entries(CALLS))("%s", (_name, call) => {
  it.each(PASSING)("goes on after %s", async (_fault, fault, code) => {
    bench.server.faults.add(fault, () => true, { times: 2 });
    await call(bench.storage);
    expect(bench.server.requests.length).toBe(3);

    bench.server.requests.length = 0;
    bench.server.faults.add(fault, () => true, { times: 100 });
    expect(await refusal(call(bench.storage))).toBe(code);
    expect(bench.server.requests.length).toBe(6);
  });
});

describe("an answer that gets lost", () => {
  const absent = { condition: { kind: "absent" } } as const;
  const lost: Fault = { kind: "reset", when: "after" };

  it("does not make a conflict out of our own object", async () => {
    bench.server.faults.add(lost, "PutObject");
    const { etag } = await bench.storage.put("db/b", bytesOf(10, 2), absent);
    expect(etag).toBe((await bench.storage.head("db/b")).etag);
    expect(bench.server.requests.map((request) => request.status).slice(0, 3)).toEqual([200, 412, 200]);
  });

  it("does not make a conflict out of our own match", async () => {
    const { etag } = await bench.storage.head("db/a");
    bench.server.faults.add(lost, "PutObject");
    const put = await bench.storage.put("db/a", bytesOf(11, 2), { condition: { kind: "match", etag } });
    expect(put.etag).toBe((await bench.storage.head("db/a")).etag);
  });

  it.each([bytesOf(10, 3), bytesOf(9, 2), bytesOf(11, 2)])("adopts nothing that differs", async (other) => {
    // The first attempt never arrived, and somebody else was faster.
    bench.server.faults.add({ kind: "reset", when: "before" }, "PutObject", { times: 1 });
    await bench.storage.put("db/other", other);
    bench.server.faults.add({ kind: "reset", when: "before" }, (request) => request.key === "db/other");
    expect(await refusal(bench.storage.put("db/other", bytesOf(10, 2), absent))).toBe("STORAGE_CONFLICT");
    expect((await bench.storage.get("db/other", { maxBytes: 100 })).body).toEqual(Buffer.from(other));
  });

  it("makes a conflict when no answer was lost, even for equal bytes", async () => {
    expect(await refusal(bench.storage.put("db/a", bytesOf(10, 1), absent))).toBe("STORAGE_CONFLICT");
  });

  it("compares again when the comparison fails", async () => {
    bench.server.faults.add(lost, "PutObject");
    bench.server.faults.add(refuse(500), "GetObject");
    await bench.storage.put("db/b", bytesOf(10, 2), absent);
  });
});

describe("waiting", () => {
  it("is jittered and never long while storage is away", async () => {
    await bench.close();
    bench = await s3Bench({
      settings: { retry: { ...retrySettings, maxRetries: 9, circuitBreakerEnabled: false } },
      dependencies: { random: () => 0.999 },
    });
    await bench.server.outage(true);
    expect(await refusal(bench.storage.check())).toBe("STORAGE_NETWORK");
    expect(bench.clock.sleptMs.map(Math.ceil)).toEqual([100, 200, 400, 800, 999, 999, 999, 999, 999]);
  });

  it("is as long as configured when storage says slow down", async () => {
    await bench.close();
    bench = await s3Bench({
      settings: {
        retry: { ...retrySettings, maxRetries: 9, maxDelayMs: 5000, circuitBreakerEnabled: false },
      },
      dependencies: { random: () => 0.999 },
    });
    bench.server.faults.add(refuse(503, "SlowDown"), () => true, { times: 100 });
    expect(await refusal(bench.storage.check())).toBe("STORAGE_THROTTLED");
    expect(bench.clock.sleptMs.map(Math.ceil)).toEqual([100, 200, 400, 800, 1599, 3197, 4995, 4995, 4995]);
  });

  it("heeds Retry-After within that", async () => {
    bench.server.faults.add({ kind: "refuse", status: 429, headers: { "retry-after": "7" } });
    bench.server.faults.add({ kind: "refuse", status: 429, headers: { "retry-after": "3600" } });
    await bench.storage.check();
    expect(bench.clock.sleptMs).toEqual([7000, 30_000]);
  });

  it("ends when the caller stops", async () => {
    const stop = new AbortController();
    bench.server.faults.add(refuse(500), () => {
      stop.abort();
      return true;
    });
    expect(await refusal(bench.storage.check({ signal: stop.signal }))).toBe("ABORTED");
    expect(bench.server.requests).toHaveLength(1);
  });
});

const retrySettings = {
  maxRetries: 5,
  baseDelayMs: 100,
  maxDelayMs: 30_000,
  circuitBreakerEnabled: true,
  circuitBreakerThreshold: 10,
  circuitBreakerCooldownMs: 60_000,
};

describe("an outage", () => {
  it("is met with one request a second, ends within two, and the log says both", async () => {
    await bench.server.outage(true);
    // A caller that has something to upload, and calls again after a second.
    const upload = async () => {
      while ((await refusal(bench.storage.put("db/late", bytesOf(10, 1)))) !== undefined)
        await bench.clock.sleep(1000);
    };
    const start = bench.clock.monotonicMs();
    while (bench.clock.monotonicMs() < start + 60_000) {
      await refusal(bench.storage.put("db/late", bytesOf(10, 1)));
      await bench.clock.sleep(1000);
    }
    expect(bench.logs).toEqual([{ level: "warn", message: expect.stringContaining("failed many times") }]);
    await bench.server.outage(false);
    const backMs = bench.clock.monotonicMs();
    await upload();
    expect(bench.clock.monotonicMs() - backMs).toBeLessThanOrEqual(2000);
    expect(bench.logs.map((entry) => entry.level)).toEqual(["warn", "info"]);
  });

  it("does not hammer storage", async () => {
    bench.server.faults.add(refuse(500), () => true, { times: 1_000_000 });
    const start = bench.clock.monotonicMs();
    while (bench.clock.monotonicMs() < start + 60_000) {
      await Promise.all(Array.from({ length: 50 }, () => refusal(bench.storage.put("db/b", bytesOf(10, 1)))));
      await bench.clock.sleep(100);
    }
    // The first burst opens the circuit; then a probe a second.
    expect(bench.server.requests.length).toBeLessThan(50 + 60 + 10);
  });

  it("ends though the wall clock was set back", async () => {
    await bench.server.outage(true);
    for (let i = 0; i < 3; i++) await refusal(bench.storage.check());
    const setBackMs = Date.now() - 600_000;
    bench.clock.setWallClock(setBackMs);
    vi.spyOn(Date, "now").mockReturnValue(setBackMs); // the circuit breaker's library reads it by itself
    await bench.server.outage(false);
    bench.clock.advance(1000);
    await bench.storage.check();
  });

  it("of throttling lasts for the configured cooldown", async () => {
    bench.server.faults.add(refuse(503, "SlowDown"), () => true, { times: 10 });
    while ((await refusal(bench.storage.check())) === "STORAGE_THROTTLED");
    const asked = bench.server.requests.length;
    bench.clock.advance(50_000 - 1);
    expect(await refusal(bench.storage.check())).toBe("STORAGE_UNAVAILABLE");
    expect(bench.server.requests.length).toBe(asked);
    bench.clock.advance(10_000);
    await bench.storage.check();
  });
});
