import { expect, onTestFinished, test } from "vitest";
import type { StorageRequest } from "../../src/storage/dependencies.ts";
import { bytesOf, keysOf, ltxLike, refusal, s3Bench } from "./support.ts";

async function observed(settings = {}) {
  const requests: StorageRequest[] = [];
  const onRequest = (request: StorageRequest) => requests.push(request);
  const bench = await s3Bench({ settings, dependencies: { onRequest } });
  onTestFinished(() => bench.close());
  return { ...bench, told: () => requests.map(({ operation, outcome }) => `${operation} ${outcome}`) };
}

test("every request that reaches the server is told, each try on its own", async () => {
  const { storage, server, told } = await observed();
  await storage.check();
  await storage.put("db/a", bytesOf(100, 1), { condition: { kind: "absent" } });
  await refusal(storage.put("db/a", bytesOf(100, 2), { condition: { kind: "absent" } }));
  server.faults.add({ kind: "refuse", status: 503, code: "SlowDown" }, undefined, { times: 2 });
  await storage.get("db/a", { maxBytes: 100 });
  await keysOf(storage.list("db/"));
  await storage.delete(["db/a"]);
  await refusal(storage.head("db/a"));
  expect(told()).toHaveLength(server.requests.length);
  expect(told().slice(0, 3)).toEqual(["list ok", "put ok", "put conflict"]);
  expect(told().filter((line) => line === "get throttled")).toHaveLength(2);
  expect(told()).toEqual(expect.arrayContaining(["get ok", "post ok", "head not_found", "get not_found"]));
});

test("the parts of a large upload are requests too", async () => {
  const { storage, server, told } = await observed();
  const { file } = ltxLike(11_000_000, 1);
  const upload = storage.upload("db/big", { headSizeBytes: 100, expectedSizeBytes: file.length });
  for (let at = 100; at < file.length; at += 1_000_000)
    await upload.write(file.subarray(at, Math.min(at + 1_000_000, file.length)));
  await upload.complete(file.subarray(0, 100));
  expect(told()).toHaveLength(server.requests.length);
  expect(told().filter((line) => line === "put ok").length).toBeGreaterThanOrEqual(2);
  expect(told()).toContain("post ok");
});

test("no answer is told as such", async () => {
  const { storage, server, told } = await observed({
    retry: {
      maxRetries: 1,
      baseDelayMs: 1,
      maxDelayMs: 1,
      circuitBreakerEnabled: false,
      circuitBreakerThreshold: 1,
      circuitBreakerCooldownMs: 1,
    },
  });
  await server.outage(true);
  expect(await refusal(storage.check())).toBe("STORAGE_NETWORK");
  expect(told()).toEqual(["list unreachable", "list unreachable"]);
});
