import { applyToDatabaseChecksum, EMPTY_DATABASE_CHECKSUM } from "../ltx/checksum.ts";
import type { Core } from "../wasm/core.ts";
import { sumOfPage, xorOfPages } from "./database-sum.ts";
import { isDisguised, undisguise } from "./page-one.ts";
import type { ReplicaFile } from "./replica-file.ts";
import type { Applied } from "./replica-state.ts";

/**
 * Whether size and page 1 are as they were written. Whoever changes a database by SQLite changes page 1, so this little read finds out
 * nearly every local write.
 */
export function isPageOneIntact(file: ReplicaFile, applied: Applied, core: Core): boolean {
  const { pageSizeBytes, commitPages, pageOne } = applied;
  if (file.sizeBytes !== commitPages * pageSizeBytes) return false;
  if (pageOne === undefined) return true;
  const page = new Uint8Array(pageSizeBytes);
  if (file.read(page, 0) !== page.length || !isDisguised(page, pageOne)) return false;
  undisguise(page, pageOne);
  return sumOfPage(core, 1, page) === pageOne.checksum;
}

/** Whether every page is as it was written. Reads the whole file; SHARED or more is held. */
export async function isWhole(file: ReplicaFile, applied: Applied, core: Core): Promise<boolean> {
  if (!isPageOneIntact(file, applied, core)) return false;
  const { pageSizeBytes, commitPages, pageOne, postApply } = applied;
  const rest = await xorOfPages(core, file, { pageSizeBytes, first: 2, last: commitPages });
  return applyToDatabaseChecksum(EMPTY_DATABASE_CHECKSUM, rest ^ (pageOne?.checksum ?? 0n)) === postApply;
}
