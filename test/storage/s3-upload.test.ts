import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { choosePartSize, SMALLEST_PART_BYTES } from "../../src/storage/s3-upload.ts";
import type { Upload } from "../../src/storage/storage.ts";
import { bytesOf, ltxLike, refusal, type S3Bench, s3Bench } from "./support.ts";

const PART = SMALLEST_PART_BYTES;
const HEAD = bytesOf(100, 99);

let bench: S3Bench;
beforeEach(async () => {
  bench = await s3Bench();
});
afterEach(() => bench.close());

async function upload(
  body: Uint8Array,
  options: { absent?: boolean; signal?: AbortSignal } = {},
): Promise<Upload> {
  const started = bench.storage.upload("db/a", {
    headSizeBytes: HEAD.length,
    expectedSizeBytes: body.length,
    ...(options.absent && { condition: { kind: "absent" } }),
    ...(options.signal && { signal: options.signal }),
  });
  for (let at = 0; at < body.length; at += 1_000_000) await started.write(body.subarray(at, at + 1_000_000));
  return started;
}

const stored = () => bench.server.objects.get("db/a")?.body ?? Buffer.alloc(0);
const whole = (body: Uint8Array) => Buffer.concat([HEAD, body]);
const operations = () => bench.server.requests.map((request) => request.operation);

describe("a small upload", () => {
  it("is one PUT that carries the SHA-256 and the time", async () => {
    const { file, sha256 } = ltxLike(5000, 1);
    const started = bench.storage.upload("db/a", {
      headSizeBytes: 100,
      expectedSizeBytes: 10,
      timestampMs: 1_700_000_000_123,
    });
    await started.write(file.subarray(100));
    await started.complete(file.subarray(0, 100), { sha256 });
    expect(operations()).toEqual(["PutObject"]);
    expect(bench.server.requests[0]?.headers).toMatchObject({
      "x-amz-meta-sha256": sha256,
      "x-amz-meta-litestream-timestamp": "2023-11-14T22:13:20.123000000Z",
    });
    expect(Buffer.compare(stored(), file)).toBe(0);
  });
});

describe("a large upload", () => {
  const body = bytesOf(3 * PART + 1234, 3);

  it("goes up in equal parts, the first one last", async () => {
    await (await upload(body)).complete(HEAD);
    expect(Buffer.compare(stored(), whole(body))).toBe(0);
    const parts = bench.server.requests.filter((request) => request.operation === "UploadPart");
    expect(parts.map((part) => part.bodySizeBytes).sort((a, b) => b - a)).toEqual([PART, PART, PART, 1334]);
    expect(parts.slice(0, 2).every((part) => !part.query.includes("partNumber=1&"))).toBe(true);
  });

  it.each(["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])(
    "goes on after a failure of %s",
    async (operation) => {
      bench.server.faults.add({ kind: "refuse", status: 500 }, operation, { times: 2 });
      await (await upload(body)).complete(HEAD);
      expect(Buffer.compare(stored(), whole(body))).toBe(0);
    },
  );

  it("outlives an outage of a minute", async () => {
    bench.server.faults.add({ kind: "refuse", status: 500 }, "UploadPart", { times: 30 });
    await (await upload(body)).complete(HEAD);
    expect(Buffer.compare(stored(), whole(body))).toBe(0);
    expect(bench.clock.sleptMs.reduce((sum, ms) => sum + ms)).toBeGreaterThan(10_000);
  });

  it("gives up after two minutes without an answer", async () => {
    const before = bench.clock.monotonicMs();
    bench.server.faults.add({ kind: "refuse", status: 500 }, "UploadPart", { times: 1_000_000 });
    expect(await refusal((await upload(bytesOf(PART + 1, 1))).complete(HEAD))).toBe("STORAGE_UNAVAILABLE");
    expect(bench.clock.monotonicMs() - before).toBeGreaterThan(120_000);
    expect(bench.clock.monotonicMs() - before).toBeLessThan(260_000); // two parts wait on the one clock
  });

  it("adopts its object when the answer to the last request is lost", async () => {
    bench.server.faults.add({ kind: "reset", when: "after" }, "CompleteMultipartUpload");
    const { etag } = await (await upload(body, { absent: true })).complete(HEAD);
    expect(etag).toBe((await bench.storage.head("db/a")).etag);
  });

  it("does not adopt somebody else's object", async () => {
    bench.server.faults.add({ kind: "reset", when: "before" }, "CompleteMultipartUpload");
    await bench.storage.put("db/a", whole(body));
    const started = await upload(body, { absent: true });
    expect(await refusal(started.complete(HEAD))).toBe("STORAGE_CONFLICT");
    await started.abort();
    expect(bench.server.openUploads).toBe(0);
  });

  it("sees an error in an answer of status 200", async () => {
    bench.server.faults.add(
      { kind: "refuse", status: 200, code: "InternalError" },
      "CompleteMultipartUpload",
    );
    await (await upload(body)).complete(HEAD);
    expect(operations().filter((operation) => operation === "CompleteMultipartUpload")).toHaveLength(2);
    expect(Buffer.compare(stored(), whole(body))).toBe(0);
  });

  it("sees a final refusal in an answer of status 200", async () => {
    bench.server.faults.add({ kind: "refuse", status: 200, code: "AccessDenied" }, "CompleteMultipartUpload");
    const started = await upload(body);
    expect(await refusal(started.complete(HEAD))).toBe("STORAGE_AUTH");
    expect(operations().filter((operation) => operation === "CompleteMultipartUpload")).toHaveLength(1);
    await started.abort();
    expect(bench.server.openUploads).toBe(0);
  });

  it("fails at the next write or at the end when a part is refused, and leaves nothing", async () => {
    bench.server.faults.add({ kind: "refuse", status: 403, code: "AccessDenied" }, "UploadPart", {
      times: 100,
    });
    expect(await refusal(upload(bytesOf(8 * PART, 1)))).toBe("STORAGE_AUTH");
    const started = await upload(bytesOf(PART + 1, 1));
    expect(await refusal(started.complete(HEAD))).toBe("STORAGE_AUTH");
    const openBefore = bench.server.openUploads;
    await started.abort();
    expect(bench.server.openUploads).toBe(openBefore - 1);
    expect(stored()).toHaveLength(0);
  });

  it("stops at once when its caller does, and leaves nothing after abort", async () => {
    const stop = new AbortController();
    bench.server.faults.add({ kind: "stall", when: "before" }, "UploadPart", { times: 100 });
    const started = await upload(bytesOf(PART + 1, 1), { signal: stop.signal });
    const completing = refusal(started.complete(HEAD));
    await expect.poll(() => operations()).toContain("UploadPart");
    stop.abort();
    expect(await completing).toBe("ABORTED");
    await started.abort();
    expect(bench.server.openUploads).toBe(0);
  });

  it("holds no more than four parts in memory", async () => {
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const started = bench.storage.upload("db/null", { headSizeBytes: 0, expectedSizeBytes: 12 * PART });
    const piece = Buffer.alloc(PART / 5);
    const serverBytes = () => bench.server.requests.reduce((sum, request) => sum + request.bodySizeBytes, 0);
    for (let i = 0; i < 60; i++) {
      await started.write(piece);
      most = Math.max(most, process.memoryUsage().arrayBuffers - before - serverBytes());
    }
    await started.abort();
    // The server of this test holds the parts it has, and up to two it is receiving (twice while it joins the pieces).
    expect(most).toBeLessThan((4 + 4) * PART);
  });
});

describe("the size of parts", () => {
  const MiB = 1024 * 1024;
  it.each([
    [8 * MiB, 0, 8 * MiB],
    [1, 0, 5 * MiB],
    [5 * MiB, 40_000 * MiB, 5 * MiB],
    [5 * MiB, 90_000 * MiB, 10 * MiB],
    [8 * MiB, 5 * 1024 * 1024 * MiB, 610_861_056],
  ])("%d configured, %d expected: %d", (configured, expected, size) => {
    expect(choosePartSize(configured, expected)).toBe(size);
    expect(expected / size).toBeLessThanOrEqual(9000);
  });
});
