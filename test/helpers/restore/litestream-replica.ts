import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Txid } from "../../../src/ltx/format.ts";
import { MemoryStorage } from "../memory-storage.ts";

interface Document {
  readonly files: Readonly<Record<string, string>>;
  readonly restored: Readonly<Record<string, string>>;
  readonly newest: number;
}

const document = JSON.parse(
  gunzipSync(readFileSync("test/fixtures/litestream/replica.json.gz")).toString(),
) as Document;

/** SHA-256 of what Litestream restores, by TXID. */
export const RESTORED_BY_LITESTREAM: ReadonlyMap<Txid, string> = new Map(
  Object.entries(document.restored).map(([txid, sha256]) => [BigInt(txid), sha256]),
);

export const NEWEST_TXID = BigInt(document.newest);

/** Where a replica lies: as Litestream writes it to a folder, or to a bucket. */
export type Where = "folder" | "bucket";

/** @param level and @param name as in the keys of a folder */
export function replicaKey(where: Where, name: string, level: number, range: string): string {
  const [min, max] = range.split("-").map((txid) => Number(txid).toString(16).padStart(16, "0"));
  return `${name}/${where === "folder" ? `ltx/${level}` : `000${level}`}/${min}-${max}.ltx`;
}

/** A storage with the replica of the fixture under `name`. */
export function storageWithReplica(where: Where, name = "app"): MemoryStorage {
  const storage = new MemoryStorage();
  for (const [path, base64] of Object.entries(document.files)) {
    const key = where === "folder" ? path : path.replace(/^ltx\/(.)\//, "000$1/");
    storage.poke(`${name}/${key}`, Buffer.from(base64, "base64"));
  }
  return storage;
}
