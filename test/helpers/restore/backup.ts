import { readFileSync } from "node:fs";
import { WalrustError } from "../../../src/errors.ts";
import { restore } from "../../../src/restore/restore.ts";
import { CorePool } from "../../../src/wasm/core-pool.ts";
import { MemoryStorage } from "../memory-storage.ts";
import { tempFolder } from "../sqlite/temp-database.ts";
import { History } from "./history.ts";
import { ImageMaker } from "./images.ts";

export interface Backup {
  readonly storage: MemoryStorage;
  readonly history: History;
}

/** 1-1 | 2-2 | 3-5 | 6-6 | 1-6 | 7-7 | 8-9, and a manifest that names them all. */
export async function backup(seed = 1): Promise<Backup> {
  const storage = new MemoryStorage();
  const history = new History(storage);
  const maker = new ImageMaker(512, seed);
  await history.snapshot(maker.next(4));
  for (const [commits, pages] of [
    [1, 4],
    [3, 9],
    [1, 5],
  ] as const) {
    await history.publish(maker.next(pages, history.image()), { commits });
  }
  await history.snapshot();
  await history.publish(maker.next(5, history.image()));
  await history.publish(maker.next(6, history.image()), { commits: 2 });
  history.manifest();
  return { storage, history };
}

/** `3-5`: the key of that object. */
export function keyOf(range: string): string {
  const padded = range.split("-").map((txid) => txid.padStart(8, "0"));
  return `app/${padded.join("-")}.ltx`;
}

/** What each object of the backup costs when it alone is lost. */
export const COSTS: ReadonlyArray<readonly [range: string, lost: readonly bigint[]]> = [
  ["1-1", [1n, 2n, 5n]],
  ["2-2", [2n, 5n]],
  ["3-5", [5n]],
  ["6-6", []],
  ["1-6", []],
  ["7-7", [7n, 9n]],
  ["8-9", [9n]],
];

const cores = new CorePool();

/** Restores one point: its bytes, or the typed error. Anything else that is thrown fails the test. */
export async function restoredImage(
  storage: MemoryStorage,
  txid?: bigint,
): Promise<Uint8Array | WalrustError> {
  const out = `${tempFolder()}/out.db`;
  const target = txid === undefined ? ({ kind: "latest" } as const) : ({ kind: "txid", txid } as const);
  try {
    await restore({ storage, cores }, "app", out, { target, integrityCheck: "none" });
    return new Uint8Array(readFileSync(out));
  } catch (error) {
    if (error instanceof WalrustError) return error;
    throw error;
  }
}
