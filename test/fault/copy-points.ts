import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { isWalrustError } from "../../src/errors.ts";
import { listRestorePoints } from "../../src/restore/list.ts";
import { restore } from "../../src/restore/restore.ts";
import { verify } from "../../src/restore/verify.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";

const cores = new CorePool();
const NAME = "app";
let outputs = 0;

/** Of each restore point: which state it is, in the order of the application's commits, and its bytes. */
export type Points = ReadonlyMap<bigint, { readonly state: number; readonly sha256: string }>;

/**
 * Restores every point that storage lists, in this process: nothing is written to storage.
 * @param stateOf fails unless the file is one of the states that were committed
 */
export async function restoreAll(
  storage: Storage,
  newPath: (name: string) => string,
  stateOf: (file: string) => number,
): Promise<Points> {
  const restored = new Map<bigint, { state: number; sha256: string }>();
  let before = -1;
  for (const txid of await txidsIn(storage)) {
    const out = newPath(`point-${++outputs}.db`);
    const target = { kind: "txid", txid } as const;
    await restore({ storage, cores }, NAME, out, { target, integrityCheck: "none" });
    const sha256 = createHash("sha256").update(readFileSync(out)).digest("hex");
    const state = stateOf(out);
    expect(state, `TXID ${txid} is no older than the point before it`).toBeGreaterThanOrEqual(before);
    before = state;
    restored.set(txid, { state, sha256 });
  }
  return restored;
}

async function txidsIn(storage: Storage): Promise<readonly bigint[]> {
  try {
    return (await listRestorePoints(storage, NAME)).points.map(({ txid }) => txid);
  } catch (error) {
    if (isWalrustError(error, "RESTORE_NOTHING")) return [];
    throw error;
  }
}

/** Every point that was there still is, and gives the same bytes. */
export function expectKept(before: Points, now: Points): void {
  for (const [txid, { sha256 }] of before) expect(now.get(txid)?.sha256, `TXID ${txid}`).toBe(sha256);
}

export async function expectSound(storage: Storage): Promise<void> {
  const { findings } = await verify({ storage, cores }, NAME);
  expect(findings).toEqual([]);
}
