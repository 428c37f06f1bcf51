import { afterEach, describe, expect, it } from "vitest";
import { PROVIDER_NAMES, type StorageSettings } from "../../src/config/settings.ts";
import { SMALLEST_PART_BYTES } from "../../src/storage/s3-upload.ts";
import { PROFILES, type ProfileName } from "../helpers/s3-server/profiles.ts";
import { bytesOf, collect, keysOf, refusal, type S3Bench, s3Bench } from "./support.ts";

let bench: S3Bench;
afterEach(() => bench.close());

/** Every kind of request once; all must be as the provider wants them. */
async function everything(): Promise<void> {
  const { storage, server } = bench;
  await storage.check();
  const { etag } = await storage.put("db/a b", bytesOf(10, 1), { condition: { kind: "absent" } });
  expect(await refusal(storage.put("db/a b", bytesOf(9, 1), { condition: { kind: "absent" } }))).toBe(
    "STORAGE_CONFLICT",
  );
  await storage.put("db/a b", bytesOf(11, 1), { condition: { kind: "match", etag } });
  expect(await refusal(storage.put("db/a b", bytesOf(9, 1), { condition: { kind: "match", etag } }))).toBe(
    "STORAGE_CONFLICT",
  );
  for (const conflict of [false, true]) {
    const upload = storage.upload("db/large", {
      headSizeBytes: 1,
      expectedSizeBytes: 2 * SMALLEST_PART_BYTES,
      condition: { kind: "absent" },
    });
    await upload.write(bytesOf(2 * SMALLEST_PART_BYTES, 1));
    expect(await refusal(upload.complete(bytesOf(1, 1)))).toBe(conflict ? "STORAGE_CONFLICT" : undefined);
    await upload.abort();
  }
  await storage.head("db/a b");
  await storage.get("db/a b", { maxBytes: 100 });
  await collect(storage.read("db/a b", { offset: 3, length: 3 }));
  expect(await keysOf(storage.list("db/"))).toEqual(["db/a b", "db/large"]);
  await storage.delete(["db/a b", "db/large"]);
  expect(server.objects.size).toBe(0);
  expect(server.openUploads).toBe(0);
}

interface Documented {
  readonly hostname: string;
  readonly profile: ProfileName;
  /** In the end, whatever was thought of it before. */
  readonly conditional: boolean;
  readonly byPath: boolean;
  readonly settings?: Partial<StorageSettings>;
}

/** Every provider as the README has it: the endpoint, and what else it tells to set. */
const DOCUMENTED: readonly Documented[] = [
  { hostname: "s3.us-east-1.amazonaws.com", profile: "aws", conditional: true, byPath: false },
  {
    hostname: "fly.storage.tigris.dev",
    profile: "tigris",
    conditional: true,
    byPath: false,
    settings: { region: "auto" },
  },
  {
    hostname: "t3.storage.dev",
    profile: "tigris",
    conditional: true,
    byPath: false,
    settings: { region: "auto" },
  },
  {
    hostname: "0123abcd.r2.cloudflarestorage.com",
    profile: "r2",
    conditional: true,
    byPath: true,
    settings: { region: "auto" },
  },
  { hostname: "minio.internal", profile: "minio", conditional: true, byPath: true },
  { hostname: "s3.us-west-004.backblazeb2.com", profile: "b2", conditional: false, byPath: true },
  { hostname: "fra1.digitaloceanspaces.com", profile: "spaces", conditional: true, byPath: false },
  { hostname: "s3.eu-central-1.wasabisys.com", profile: "wasabi", conditional: false, byPath: false },
  { hostname: "seaweedfs", profile: "seaweedfs", conditional: true, byPath: true },
  {
    hostname: "garage.example.org",
    profile: "garage",
    conditional: false,
    byPath: true,
    settings: { region: "garage" },
  },
  { hostname: "backup.example.org", profile: "minio", conditional: true, byPath: true },
  { hostname: "backup.example.org", profile: "ceph", conditional: true, byPath: true },
  { hostname: "backup.example.org", profile: "ignoring", conditional: false, byPath: true },
  { hostname: "backup.example.org", profile: "refusing", conditional: false, byPath: true },
];

describe.each<Documented>(DOCUMENTED)(
  "$hostname is $profile",
  ({ hostname, profile, conditional, byPath, settings }) => {
    const open = async () => {
      bench = await s3Bench({ hostname, server: { profile }, settings: settings ?? {} });
    };

    it("gets requests that it takes", async () => {
      await open();
      await everything();
      expect(bench.storage.conditionalPut).toBe(conditional);
      const host = `${byPath ? "" : "bucket."}${hostname}:${bench.server.port}`;
      for (const { headers } of bench.server.requests) expect(headers["host"]).toBe(host);
    });
  },
);

it("may say at any request that it timed out, as Tigris does", async () => {
  bench = await s3Bench({
    hostname: "t3.storage.dev",
    server: { profile: "tigris" },
    settings: { region: "auto" },
  });
  for (const operation of ["ListObjectsV2", "PutObject", "UploadPart", "GetObject", "DeleteObjects"]) {
    bench.server.faults.add({ kind: "refuse", status: 408, code: "RequestTimeout" }, operation, { times: 2 });
  }
  await everything();
});

it.each(PROVIDER_NAMES)("%s is what the settings say it is, behind any host", async (provider) => {
  const profile = provider === "other" ? "minio" : provider;
  const { region } = PROFILES[profile];
  bench = await s3Bench({
    hostname: "storage.example.org",
    server: { profile },
    settings: { provider, region },
  });
  await everything();
  expect(bench.storage.conditionalPut).toBe(!["b2", "wasabi", "garage"].includes(provider));
});

it("refuses lists out of order from who promises order: a list that looks complete would not be", async () => {
  bench = await s3Bench({
    hostname: "s3.us-east-1.amazonaws.com",
    server: { profile: "seaweedfs" },
    settings: { forcePathStyle: true },
  });
  for (const key of ["a/b", "a-b"]) await bench.storage.put(key, bytesOf(1, 1));
  expect(await refusal(collect(bench.storage.list("")))).toBe("STORAGE_REJECTED");
});

it("lists page by page in the order of keys", async () => {
  bench = await s3Bench({ hostname: "s3.us-east-1.amazonaws.com", server: { pageSize: 3 } });
  const keys = ["a-b", "a.b", "a/b", "a0", "\u{ff00}", "\u{1f9ad}", "\u{1f9ae}"];
  for (const key of [...keys].reverse()) await bench.storage.put(key, bytesOf(1, 1));
  expect(await keysOf(bench.storage.list(""))).toEqual(keys);
  expect(bench.server.requests.filter(({ operation }) => operation === "ListObjectsV2")).toHaveLength(3);
});

it("is addressed as the settings say", async () => {
  bench = await s3Bench({ hostname: "s3.us-east-1.amazonaws.com", settings: { forcePathStyle: true } });
  await everything();
  expect(bench.server.requests[0]?.headers["host"]).toBe(`s3.us-east-1.amazonaws.com:${bench.server.port}`);
});

it("stores with the class and the encryption that are configured", async () => {
  bench = await s3Bench({
    settings: { storageClass: "STANDARD_IA", sse: "aws:kms", sseKmsKeyId: "arn:aws:kms:us-east-1:1:key/2" },
  });
  await everything();
  const creating = bench.server.requests.filter(({ operation }) =>
    /PutObject|CreateMultipart/.test(operation),
  );
  expect(creating.length).toBeGreaterThan(4);
  for (const { headers } of creating) {
    expect(headers).toMatchObject({
      "x-amz-storage-class": "STANDARD_IA",
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:us-east-1:1:key/2",
    });
  }
});

it("signs with the session's token", async () => {
  bench = await s3Bench({
    dependencies: {
      env: {
        AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
        AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        AWS_SESSION_TOKEN: "the-token",
      },
    },
  });
  await everything();
  for (const { headers } of bench.server.requests) expect(headers["x-amz-security-token"]).toBe("the-token");
});
