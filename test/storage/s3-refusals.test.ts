import { afterEach, describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { Fault } from "../helpers/s3-server/faults.ts";
import { bytesOf, collect, refusal, type S3Bench, s3Bench } from "./support.ts";

let bench: S3Bench;
afterEach(() => bench.close());

const CALLS: Record<string, (storage: Storage) => Promise<unknown>> = {
  check: (storage) => storage.check(),
  put: (storage) => storage.put("db/a", bytesOf(10, 1)),
  "put if absent": (storage) => storage.put("db/b", bytesOf(10, 1), { condition: { kind: "absent" } }),
  get: (storage) => storage.get("db/a", { maxBytes: 100 }),
  head: (storage) => storage.head("db/a"),
  read: (storage) => collect(storage.read("db/a")),
  "read of a range": (storage) => collect(storage.read("db/a", { offset: 2, length: 3 })),
  list: (storage) => collect(storage.list("db/")),
  delete: (storage) => storage.delete(["db/a"]),
};

const refuse = (status: number, code?: string, headers: Record<string, string> = {}): Fault => ({
  kind: "refuse",
  status,
  headers,
  ...(code !== undefined && { code }),
});

/** What a refusal must become. HEAD carries no code, so that its status alone decides. */
interface Final {
  readonly name: string;
  readonly fault: Fault;
  readonly code: ErrorCode;
  readonly ofHead?: ErrorCode;
}

const FINAL: readonly Final[] = [
  { name: "no permission", fault: refuse(403, "AccessDenied"), code: "STORAGE_AUTH" },
  { name: "a wrong key", fault: refuse(403, "InvalidAccessKeyId"), code: "STORAGE_AUTH" },
  { name: "a wrong signature", fault: refuse(403, "SignatureDoesNotMatch"), code: "STORAGE_AUTH" },
  {
    name: "an expired token",
    fault: refuse(400, "ExpiredToken"),
    code: "STORAGE_AUTH",
    ofHead: "STORAGE_REJECTED",
  },
  { name: "no such bucket", fault: refuse(404, "NoSuchBucket"), code: "STORAGE_BUCKET_NOT_FOUND" },
  {
    name: "another region",
    fault: refuse(301, "PermanentRedirect", { "x-amz-bucket-region": "eu-west-1" }),
    code: "STORAGE_REJECTED",
  },
  {
    name: "a temporary redirect",
    fault: refuse(307, "TemporaryRedirect", { location: "http://localhost" }),
    code: "STORAGE_REJECTED",
  },
  { name: "a strange request", fault: refuse(400, "InvalidRequest"), code: "STORAGE_REJECTED" },
  { name: "something not implemented", fault: refuse(501, "NotImplemented"), code: "STORAGE_REJECTED" },
  { name: "a full storage", fault: refuse(507, "StorageFull"), code: "STORAGE_FULL" },
  {
    name: "an exceeded quota",
    fault: refuse(403, "QuotaExceeded"),
    code: "STORAGE_FULL",
    ofHead: "STORAGE_AUTH",
  },
  { name: "a 404 that is not S3's", fault: { kind: "html", status: 404 }, code: "STORAGE_REJECTED" },
  { name: "a 404 with a code nobody knows", fault: refuse(404, "WhoKnows"), code: "STORAGE_REJECTED" },
];

describe.each(Object.entries(CALLS))("%s", (name, call) => {
  it.each(FINAL)("tells $name apart and does not try again", async ({ fault, code, ofHead }) => {
    bench = await s3Bench();
    await bench.storage.put("db/a", bytesOf(10, 1));
    bench.server.requests.length = 0;
    bench.server.faults.add(fault, () => true, { times: 100 });
    // HEAD asks again with GET when it met a 404, to hear the reason.
    const expected = name === "head" ? (ofHead ?? code) : code;
    expect(await refusal(call(bench.storage))).toBe(expected);
    expect(bench.server.requests).toHaveLength(
      name === "head" && "status" in fault && fault.status === 404 ? 2 : 1,
    );
  });
});

it("names the region where the bucket is", async () => {
  bench = await s3Bench({ server: { region: "eu-west-3" } });
  await expect(bench.storage.check()).rejects.toMatchObject({
    code: "STORAGE_AUTH",
    hint: expect.stringContaining("eu-west-3"),
  });
});

it("refuses a wrong secret as AUTH, without showing it", async () => {
  const secret = "not-the-right-secret";
  bench = await s3Bench({
    dependencies: { env: { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: secret } },
  });
  const error = await bench.storage.check().catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "STORAGE_AUTH" });
  expect(JSON.stringify(error) + String(error)).not.toContain(secret);
});

it("takes the storage's time when this machine's clock is off", async () => {
  bench = await s3Bench({ server: { clock: { now: () => Date.now() + 3_600_000 } } });
  await bench.storage.put("db/a", bytesOf(10, 1));
  await bench.storage.put("db/b", bytesOf(10, 1));
  expect(bench.server.requests.map((request) => request.status)).toEqual([403, 200, 200]);
  expect(await collect(bench.storage.list("db/"))).toHaveLength(2);
  // The SDK has a clock of its own.
  bench.server.requests.length = 0;
  await bench.storage.delete(["db/a"]);
  await bench.storage.delete(["db/b"]);
  expect(bench.server.requests.map((request) => request.status)).toEqual([403, 200, 200]);
});
