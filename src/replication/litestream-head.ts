import type { Txid } from "../ltx/format.ts";
import { type ListedFile, listAllFiles } from "../storage/database-objects.ts";
import type { DatabaseKeys } from "../storage/keys.ts";
import { LIVE_LEVEL } from "../storage/litestream-keys.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { byTxid, otherLayout, type RemoteView, readHead } from "./remote-head.ts";

/**
 * What storage holds of a copy in the Litestream layout, whoever wrote it. Errors: those of storage; CONFIG_INVALID when there is a copy in
 * our own layout under the same name.
 */
export async function findLitestreamHead(
  storage: Storage,
  keys: DatabaseKeys,
  options: CallOptions = {},
): Promise<RemoteView> {
  const { walrust, litestream } = await listAllFiles(storage, keys, options);
  if (walrust.length > 0) throw otherLayout(storage, keys, "walrust");
  const files = litestream.toSorted(byTxid);
  const highestTxid = files.at(-1)?.maxTxid ?? 0n;
  const live = files.findLast(({ level }) => level === LIVE_LEVEL);
  const newest = live?.maxTxid === highestTxid ? live : files.at(-1);
  if (newest === undefined) return { head: undefined, highestTxid, unnamed: [] };
  const head = await readHead(storage, files, newest, options);
  // Without a file in level 0 Litestream would begin again at TXID 1, and behind a hole nobody could restore what we add.
  const isWhole = newest === live && leadsTo(files, highestTxid);
  return {
    head: head && { ...head, newestSnapshot: isWhole ? head.newestSnapshot : undefined },
    highestTxid,
    unnamed: [],
  };
}

/** Whether files of any level lead from a snapshot to a TXID. @param files by their last TXID */
function leadsTo(files: readonly ListedFile[], txid: Txid): boolean {
  let at = files.findLast(({ minTxid }) => minTxid === 1n)?.maxTxid ?? 0n;
  if (at === 0n) return false;
  for (const { minTxid, maxTxid } of files) if (minTxid <= at + 1n && maxTxid > at) at = maxTxid;
  return at >= txid;
}
