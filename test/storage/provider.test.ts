import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { StorageSettings } from "../../src/config/settings.ts";
import { openStorage } from "../../src/storage/open.ts";
import { keyPath, resolveEndpoint } from "../../src/storage/s3-endpoint.ts";
import { refusal, settingsFor } from "./support.ts";

const resolve = (
  endpoint?: string,
  bucket = "bucket",
  region = "us-east-1",
  provider?: StorageSettings["provider"],
) =>
  resolveEndpoint(
    { kind: "s3", bucket, prefix: "" },
    { region, ...(endpoint !== undefined && { endpoint }), ...(provider && { provider }) },
  );

describe("resolveEndpoint", () => {
  it.each([
    [undefined, "AWS", "https://bucket.s3.us-east-1.amazonaws.com", ""],
    ["https://s3.eu-west-1.amazonaws.com", "AWS", "https://bucket.s3.eu-west-1.amazonaws.com", ""],
    ["https://fly.storage.tigris.dev", "Tigris", "https://bucket.fly.storage.tigris.dev", ""],
    ["https://0123.r2.cloudflarestorage.com", "R2", "https://0123.r2.cloudflarestorage.com", "/bucket"],
    [
      "https://0123.eu.r2.cloudflarestorage.com/",
      "R2",
      "https://0123.eu.r2.cloudflarestorage.com",
      "/bucket",
    ],
    ["s3.us-west-004.backblazeb2.com", "B2", "https://s3.us-west-004.backblazeb2.com", "/bucket"],
    ["https://fra1.digitaloceanspaces.com", "Spaces", "https://bucket.fra1.digitaloceanspaces.com", ""],
    ["https://s3.wasabisys.com", "Wasabi", "https://bucket.s3.wasabisys.com", ""],
    ["http://localhost:3900", "Garage", "http://localhost:3900", "/bucket"],
    ["http://127.0.0.1:9000", "MinIO", "http://127.0.0.1:9000", "/bucket"],
    ["localhost:8333", "SeaweedFS", "https://localhost:8333", "/bucket"],
    ["http://[::1]:1234", "self-hosted", "http://[::1]:1234", "/bucket"],
    [
      "https://evil-amazonaws.com.example.org",
      "self-hosted",
      "https://evil-amazonaws.com.example.org",
      "/bucket",
    ],
  ])("%s is %s", (endpoint, name, origin, basePath) => {
    expect(resolve(endpoint)).toMatchObject({ origin, basePath, provider: { name } });
  });

  it.each([
    ["http://localhost:9000", "garage", "Garage"],
    ["https://s3.us-west-004.backblazeb2.com", "other", "self-hosted"],
    ["https://files.example.org", "spaces", "Spaces"],
    [undefined, "minio", "MinIO"],
  ] as const)("%s is what the settings say: %s", (endpoint, given, name) => {
    expect(resolve(endpoint, "bucket", "us-east-1", given).provider.name).toBe(name);
  });

  it.each([
    ["https://s3.us-west-004.backblazeb2.com", "us-west-004"],
    ["https://s3.eu-central-1.wasabisys.com", "eu-central-1"],
    ["https://s3.wasabisys.com", "eu-north-9"],
    ["https://fra1.digitaloceanspaces.com", "eu-north-9"],
    ["https://0123.r2.cloudflarestorage.com", "eu-north-9"],
  ])("%s is signed for %s", (endpoint, region) => {
    expect(resolve(endpoint, "bucket", "eu-north-9").region).toBe(region);
  });

  it("knows the other part of AWS", () => {
    expect(resolve(undefined, "bucket", "cn-north-1").origin).toBe(
      "https://bucket.s3.cn-north-1.amazonaws.com.cn",
    );
  });

  it("puts a bucket with dots into the path, for the certificate's sake", () => {
    expect(resolve(undefined, "my.bucket")).toMatchObject({
      origin: "https://s3.us-east-1.amazonaws.com",
      basePath: "/my.bucket",
    });
  });

  it.each([
    "",
    "ftp://example.com",
    "https://user:secret@example.com",
    "https://example.com/path",
    "https://example.com?x",
    "::",
  ])("refuses %j, repeating no secret", async (endpoint) => {
    const opening = openStorage(settingsFor("bucket", { endpoint }), { clock: systemClock, env: {} });
    expect(await refusal(opening)).toBe("CONFIG_INVALID");
    await expect(opening).rejects.not.toThrow("secret");
  });
});

it("escapes keys as signatures demand", () => {
  expect(keyPath(resolve("http://localhost:9000"), "a b/é+%!'()*~-_.")).toBe(
    "/bucket/a%20b/%C3%A9%2B%25%21%27%28%29%2A~-_.",
  );
});
