import { describe, expect, it } from "vitest";
import { formatStorageUrl, parseStorageUrl } from "../../src/storage/url.ts";

describe("parseStorageUrl", () => {
  it.each([
    ["backups", { kind: "s3", bucket: "backups", prefix: "" }],
    ["s3://backups", { kind: "s3", bucket: "backups", prefix: "" }],
    ["s3://backups/", { kind: "s3", bucket: "backups", prefix: "" }],
    ["s3://backups/prod", { kind: "s3", bucket: "backups", prefix: "prod/" }],
    ["s3://backups/prod/", { kind: "s3", bucket: "backups", prefix: "prod/" }],
    ["s3://backups/prod/eu west/é%20", { kind: "s3", bucket: "backups", prefix: "prod/eu west/é%20/" }],
    ["s3://my.old_Bucket/a", { kind: "s3", bucket: "my.old_Bucket", prefix: "a/" }],
    ["file:///var/backups", { kind: "file", folder: "/var/backups" }],
    ["file:///var/backups/", { kind: "file", folder: "/var/backups" }],
    ["file:///var/my%20backups/%C3%A9", { kind: "file", folder: "/var/my backups/é" }],
    ["file:///var/../srv/b", { kind: "file", folder: "/srv/b" }],
  ])("takes %s", (url, address) => {
    expect(parseStorageUrl(url)).toEqual(address);
  });

  it.each([
    "",
    "s3://",
    "s3:///prefix",
    "s3://a",
    "s3://-bucket",
    "s3://buck..et",
    "s3://bucket//prefix",
    "s3://bucket/prefix//",
    "s3://bucket/../other",
    "s3://bucket/./a",
    "s3://bucket/a\u0000b",
    "s3://bucket/.walrust-x",
    "bucket/prefix",
    "./folder",
    "/var/backups",
    "file://",
    "file:///",
    "file:////",
    "file:relative",
    "file://host/folder",
    "file:///a%2Fb",
    "file:///a%zz",
    "file:///a?b",
    "file:///a#b",
    "https://s3.example.com/bucket",
    "gs://bucket",
    "arn:aws:s3:::bucket",
  ])("refuses %j", (url) => {
    expect(() => parseStorageUrl(url)).toThrow(
      expect.objectContaining({
        code: "CONFIG_INVALID",
        hint: expect.stringContaining("s3://bucket/prefix"),
      }),
    );
  });

  it.each([
    "https://user:hunter2@example.com/x",
    "s3://user:hunter2@bucket",
    "s3://user:hunter2@bucket/prefix",
    "s3://user:hunter/2@bucket",
    "user:hunter2@bucket",
  ])("repeats no password of %s", (url) => {
    expect(() => parseStorageUrl(url)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("hunter") }),
    );
  });
});

describe("formatStorageUrl", () => {
  it.each(["s3://backups", "s3://backups/prod/eu", "file:///var/my%20backups"])("gives back %s", (url) => {
    expect(formatStorageUrl(parseStorageUrl(url))).toBe(url);
  });
});
