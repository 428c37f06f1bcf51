import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { ReadAt } from "../../../src/wal/read-at.ts";

/** Logs that SQLite wrote, and what is in them (test/fixtures/wal). */
export interface GoldenLog {
  readonly name: string;
  readonly facts: GoldenFacts;
  readonly database: Uint8Array;
  readonly log: Uint8Array;
}

export interface GoldenFacts {
  readonly page_size: number;
  readonly header: {
    readonly big_endian_checksums: boolean;
    readonly page_size: number;
    readonly checkpoint_seq: number;
    readonly salt1: number;
    readonly salt2: number;
  } | null;
  readonly last_commit_frame: number;
  readonly db_pages: number;
  readonly transactions: ReadonlyArray<{
    readonly first_frame: number;
    readonly last_frame: number;
    readonly end_offset: number;
    readonly db_pages: number;
    readonly frame_pgnos: readonly number[];
    readonly pages: readonly number[];
    readonly running_checksum: readonly [number, number];
    readonly ltx_database_checksum: string;
  }>;
  /** SHA-256 of each page after the last commit. */
  readonly final_pages: Readonly<Record<string, string>>;
}

const folder = new URL("../../fixtures/wal/", import.meta.url);

export function goldenLogs(): GoldenLog[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => goldenLog(name.replace(".json", "")));
}

export function goldenLog(name: string): GoldenLog {
  const facts = JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as GoldenFacts;
  const unpack = (suffix: string) =>
    new Uint8Array(gunzipSync(readFileSync(new URL(`${name}.${suffix}.gz`, folder))));
  return { name, facts, database: unpack("db"), log: unpack("db-wal") };
}

/** Reads from bytes as a file would be read. */
export function readAtOf(bytes: Uint8Array): ReadAt {
  return (into, offset) => {
    const part = bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + into.length, bytes.length));
    into.set(part);
    return part.length;
  };
}
