import { expect, test } from "vitest";
import { replicaAddress } from "../../src/cli/replica-address.ts";

test.each([
  ["s3://copies/app", undefined, "s3://copies", "app"],
  ["s3://copies/production/eu/app", undefined, "s3://copies/production/eu", "app"],
  ["file:///backups/app", undefined, "file:///backups", "app"],
  ["app", undefined, undefined, "app"],
  ["eu/app", "s3://copies", "s3://copies", "eu/app"],
])("%s beside --bucket %s", (address, given, bucket, name) => {
  expect(replicaAddress(address, given)).toEqual({ bucket, name });
});

test.each([
  ["s3://copies", undefined, "names no database"],
  ["s3://copies/", undefined, "names no database"],
  ["file:///", undefined, "names no database"],
  ["file:///app", undefined, "names no database"],
  ["s3://copies/app", "copies", "so does --bucket"],
])("%s beside --bucket %s is refused", (address, bucket, message) => {
  expect(() => replicaAddress(address, bucket)).toThrow(
    expect.objectContaining({ code: "USAGE", message: expect.stringContaining(message) }),
  );
});
