import { getEventListeners } from "node:events";
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { HttpPool } from "../../src/storage/http-pool.ts";
import { bytesOf, refusal, type S3Bench, s3Bench } from "./support.ts";

let bench: S3Bench;
afterEach(() => bench.close());

describe("connections", () => {
  it("serve HEAD, PUT, GET, refusals and lists again and again", async () => {
    bench = await s3Bench();
    for (let i = 0; i < 10; i++) {
      await bench.storage.put("db/a", bytesOf(3_000_000, i));
      await bench.storage.head("db/a");
      await bench.storage.get("db/a", { maxBytes: 4_000_000 });
      await refusal(bench.storage.head("db/none"));
      for await (const _object of bench.storage.list("db/")) break;
      await bench.storage.delete(["db/b"]);
    }
    // 60 requests. undici opens a second one when it is asked again in the very moment in which an answer ends.
    expect(bench.server.connections.opened).toBeLessThanOrEqual(2);
  });

  it("are no more than configured", async () => {
    bench = await s3Bench({ settings: { concurrency: 3 } });
    await Promise.all(Array.from({ length: 60 }, (_, i) => bench.storage.put(`db/${i}`, bytesOf(100, i))));
    expect(bench.server.connections.opened).toBeLessThanOrEqual(3);
  });

  it("are replaced when storage closed them meanwhile", async () => {
    bench = await s3Bench({ server: { keepAliveMs: 1 } });
    await bench.storage.put("db/a", bytesOf(100, 1));
    await expect.poll(() => bench.server.connections.open).toBe(0);
    await bench.storage.put("db/b", bytesOf(100, 1));
  });

  it("end with close", async () => {
    bench = await s3Bench();
    await bench.storage.put("db/a", bytesOf(100, 1));
    await bench.storage.close();
    await expect.poll(() => bench.server.connections.open).toBe(0);
  });

  it("may all end with one signal, without a warning of a leak", async () => {
    bench = await s3Bench();
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on("warning", note);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 30 }, () => bench.storage.check({ signal })));
    await new Promise((resolve) => setImmediate(resolve));
    process.removeListener("warning", note);
    expect(warnings).toEqual([]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("end when the caller stops, also while a request waits for one", async () => {
    bench = await s3Bench({ settings: { concurrency: 1 } });
    bench.server.faults.add({ kind: "stall", when: "before" });
    const stop = new AbortController();
    const first = refusal(bench.storage.check({ signal: stop.signal }));
    await expect.poll(() => bench.server.requests.length).toBe(1);
    const second = refusal(bench.storage.check({ signal: stop.signal }));
    stop.abort();
    expect([await first, await second]).toEqual(["ABORTED", "ABORTED"]);
    await bench.storage.check();
  });
});

describe("patience", () => {
  it("ends when no answer comes, or an answer stops in the middle", async () => {
    bench = await s3Bench();
    await bench.storage.put("db/a", bytesOf(100_000, 1));
    const poolWith = (patience: { readonly answerTimeoutMs: number; readonly bodyIdleTimeoutMs: number }) =>
      new HttpPool(bench.server.endpoint, { connections: 2, ...patience });
    const request = { method: "GET", path: "/bucket/db/a", headers: {} } as const;
    bench.server.faults.add({ kind: "stall", when: "before" });
    const forAnswers = poolWith({ answerTimeoutMs: 50, bodyIdleTimeoutMs: 60_000 });
    expect(await refusal(forAnswers.request(request))).toBe("STORAGE_TIMEOUT");
    await forAnswers.close();
    bench.server.faults.add({ kind: "cut", afterBytes: 10, how: "stall" });
    const forBodies = poolWith({ answerTimeoutMs: 60_000, bodyIdleTimeoutMs: 50 });
    const { body } = await forBodies.request(request);
    expect(await refusal(body.collect(1_000_000))).toBe("STORAGE_TIMEOUT");
    await forBodies.close();
  });

  it("ends when an answer drips and never stops", async () => {
    bench = await s3Bench();
    await bench.storage.put("db/a", bytesOf(100_000, 1));
    bench.server.faults.add({ kind: "drip", everyMs: 10, what: "body" });
    const pool = new HttpPool(bench.server.endpoint, { connections: 1, bodyIdleTimeoutMs: 500 });
    const { body } = await pool.request({ method: "GET", path: "/bucket/db/a", headers: {} });
    await expect(body.collect(1_000_000)).rejects.toMatchObject({
      code: "STORAGE_TIMEOUT",
      details: { code: "TOO_SLOW" },
    });
    await pool.close();
  });
});

describe("TLS", () => {
  const fixture = (name: string) => new URL(`../fixtures/tls/${name}`, import.meta.url);
  const tls = {
    key: readFileSync(fixture("key.pem"), "utf8"),
    cert: readFileSync(fixture("cert.pem"), "utf8"),
  };
  const env = {
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  };

  it("trusts the authority of AWS_CA_BUNDLE", async () => {
    const AWS_CA_BUNDLE = fixture("cert.pem").pathname;
    bench = await s3Bench({ server: { tls }, dependencies: { env: { ...env, AWS_CA_BUNDLE } } });
    await bench.storage.put("db/a", bytesOf(100, 1));
  });

  it("trusts nobody else, and does not try again", async () => {
    bench = await s3Bench({ server: { tls } });
    await expect(bench.storage.check()).rejects.toMatchObject({
      code: "STORAGE_REJECTED",
      hint: expect.stringContaining("AWS_CA_BUNDLE"),
    });
    expect(bench.server.connections.opened).toBe(1);
  });

  it("says which bundle cannot be read", async () => {
    bench = await s3Bench();
    const broken = s3Bench({ dependencies: { env: { ...env, AWS_CA_BUNDLE: "/nowhere/ca.pem" } } });
    expect(await refusal(broken)).toBe("CONFIG_INVALID");
  });
});
