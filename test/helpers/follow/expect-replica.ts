import { readFileSync, statSync } from "node:fs";
import Database from "better-sqlite3";
import { expect } from "vitest";

/** Where a replica's page 1 differs from the source's: byte ranges. */
const OWN_FIELDS = [
  [18, 20],
  [24, 28],
  [92, 96],
] as const;

function masked(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length > 0) for (const [from, to] of OWN_FIELDS) copy.fill(0, from, to);
  return copy;
}

/** The file is, but for the bytes of its own, this image; sound, read-only, and nothing for SQLite to replay lies beside it. */
export function expectReplica(path: string, image: Uint8Array): void {
  const bytes = readFileSync(path);
  expect(masked(bytes).equals(masked(image)), `${path} is the source's image`).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o444);
  for (const suffix of ["-journal", "-wal", "-shm"])
    expect(statSync(path + suffix, { throwIfNoEntry: false }), suffix).toBeUndefined();
  if (bytes.length === 0) return;
  expect([...bytes.subarray(18, 20)], "rollback-journal locking").toEqual([1, 1]);
  const db = new Database(path, { readonly: true });
  try {
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
  } finally {
    db.close();
  }
}

/** The ten bytes of a replica that tell readers of a change. */
export function counterIn(path: string): number {
  return readFileSync(path).readUInt32BE(24);
}
