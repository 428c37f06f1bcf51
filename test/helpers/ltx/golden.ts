import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** test/fixtures/ltx: see the README beside the programs that made it, in test/fixtures/ltx-make. */
const folder = join(import.meta.dirname, "../../fixtures/ltx");

export interface GoldenFile {
  readonly file: string;
  readonly size: number;
  readonly body_sha256: string;
  readonly header: {
    readonly flags: number;
    readonly page_size: number;
    readonly commit: number;
    readonly min_txid: string;
    readonly max_txid: string;
    readonly timestamp_ms: number;
    readonly pre_apply_checksum: string;
    readonly wal_offset: number;
    readonly wal_size: number;
    readonly wal_salt1: number;
    readonly wal_salt2: number;
    readonly node_id: string;
    readonly reserved: string;
  };
  readonly pages: readonly {
    readonly pgno: number;
    readonly flags: number;
    readonly offset: number;
    readonly size: number;
    readonly sha256: string;
    readonly checksum: string;
  }[];
  readonly trailer: { readonly post_apply_checksum: string; readonly file_checksum: string };
}

export interface GoldenChain {
  readonly page_size: number;
  readonly steps: readonly {
    readonly file: string;
    readonly db_pages: number;
    readonly db_sha256: string;
    readonly db_checksum: string;
  }[];
  readonly merged: readonly { readonly file: string; readonly of: readonly string[] }[];
}

export interface CorruptFile {
  readonly file: string;
  readonly defect: string;
  readonly must_reject: boolean;
  readonly class: string;
}

const json = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));

export const goldenBytes = (file: string): Uint8Array => readFileSync(join(folder, file));

export const goldenFiles = readdirSync(folder)
  .filter((name) => name.endsWith(".ltx"))
  .map((name) => json(name.replace(/ltx$/, "json")) as GoldenFile);

export const goldenFile = (file: string): GoldenFile => json(file.replace(/ltx$/, "json")) as GoldenFile;

export const goldenChains = (json("chains.json") as { chains: GoldenChain[] }).chains;

export const corruptFiles = (json("corrupt.json") as { files: CorruptFile[] }).files;

export const goldenChecksums = json("checksums.json") as {
  readonly crc64: readonly { readonly input: string; readonly crc64: string }[];
  readonly pages: readonly { pgno: number; every_byte: number; size: number; checksum: string }[];
  readonly lock_pages: readonly { readonly page_size: number; readonly lock_page: number }[];
};
