import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { bytesOf, collect, IDENTITY, readAll, refusal, type S3Bench, s3Bench } from "./support.ts";

let bench: S3Bench;
afterEach(async () => {
  vi.unstubAllEnvs();
  await bench.close();
});

const loadedSdkModules = () => {
  const { cache } = createRequire(import.meta.url);
  return Object.keys(cache).filter((path) => path.includes("/@aws-sdk/client-s3/"));
};

// First in this file, and files have a process each: once loaded, the SDK stays.
it("does not load the SDK for frequent requests, and does for rare ones", async () => {
  bench = await s3Bench();
  await bench.storage.check();
  await bench.storage.put("db/a", bytesOf(10, 1), { condition: { kind: "absent" } });
  await bench.storage.head("db/a");
  await bench.storage.get("db/a", { maxBytes: 10 });
  await readAll(bench.storage.read("db/a"));
  const upload = bench.storage.upload("db/b", { headSizeBytes: 1, expectedSizeBytes: 100_000 });
  await upload.write(bytesOf(100_000, 1));
  await upload.complete(bytesOf(1, 1));
  expect(await collect(bench.storage.list("db/"))).toHaveLength(2);
  expect(loadedSdkModules()).toEqual([]);
  await bench.storage.delete(["db/a"]);
  expect(loadedSdkModules().length).toBeGreaterThan(0);
});

it("finds credentials through the SDK's chain when the environment has none", async () => {
  const folder = await mkdtemp(join(tmpdir(), "walrust-aws-"));
  const file = join(folder, "credentials");
  const { accessKeyId, secretAccessKey } = IDENTITY;
  await writeFile(
    file,
    `[backup]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
  );
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", file);
  vi.stubEnv("AWS_PROFILE", "backup");
  bench = await s3Bench({ dependencies: { env: process.env } });
  await bench.storage.put("db/a", bytesOf(10, 1));
  expect(await collect(bench.storage.list(""))).toHaveLength(1);
  await rm(folder, { recursive: true });
});

it("says so when there are no credentials", async () => {
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials");
  vi.stubEnv("AWS_CONFIG_FILE", "/nowhere/config");
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"])
    vi.stubEnv(name, undefined);
  bench = await s3Bench({ dependencies: { env: process.env } });
  expect(await refusal(bench.storage.put("db/a", bytesOf(10, 1)))).toBe("STORAGE_AUTH");
  expect(await refusal(collect(bench.storage.list("")))).toBe("STORAGE_AUTH");
});
