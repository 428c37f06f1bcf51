import type { Txid } from "../ltx/format.ts";
import type { RestoreFile } from "../restore/restore-file.ts";
import { byMinTxid } from "./coverage.ts";

/** Incrementals that follow one another, to be joined into one file. */
export interface PlannedMerge {
  readonly minTxid: Txid;
  readonly maxTxid: Txid;
  /** In order; at least two. */
  readonly sources: readonly RestoreFile[];
}

/**
 * The longest runs of files each of which follows the one before by TXID and by a checksum that both name, and
 * no restore point that stays lies in between. Pure.
 * @param files incrementals that stay and may be merged
 * @param others incrementals that stay and must be left as they are: no run passes a point where one begins or ends
 * @param stops TXIDs that stay restore points
 */
export function plannedMerges(
  files: readonly RestoreFile[],
  others: readonly RestoreFile[],
  stops: ReadonlySet<Txid>,
): PlannedMerge[] {
  const joints = new Joints(files, others, stops);
  const runs: RestoreFile[][] = [];
  for (const file of files.toSorted(byMinTxid)) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run && last && joints.joins(last, file)) run.push(file);
    else runs.push([file]);
  }
  return runs.flatMap((sources) => {
    const [first, last] = [sources[0], sources.at(-1)];
    if (first === undefined || last === undefined || first === last) return [];
    return [{ minTxid: first.minTxid, maxTxid: last.maxTxid, sources }];
  });
}

/** Where files meet. */
class Joints {
  /** How many end at a TXID, and how many go on behind it. */
  readonly #ends = new Map<Txid, number>();
  readonly #goesOn = new Map<Txid, number>();
  readonly #stops: ReadonlySet<Txid>;

  constructor(files: readonly RestoreFile[], others: readonly RestoreFile[], stops: ReadonlySet<Txid>) {
    for (const { minTxid, maxTxid } of [...files, ...others]) {
      count(this.#ends, maxTxid);
      count(this.#goesOn, minTxid - 1n);
    }
    this.#stops = stops;
  }

  joins(before: RestoreFile, after: RestoreFile): boolean {
    const at = before.maxTxid;
    if (after.minTxid !== at + 1n || this.#stops.has(at)) return false;
    if (!before.preApply || !before.postApply || !after.postApply) return false;
    if (before.postApply !== after.preApply) return false;
    return this.#ends.get(at) === 1 && this.#goesOn.get(at) === 1;
  }
}

function count(counts: Map<Txid, number>, txid: Txid): void {
  counts.set(txid, (counts.get(txid) ?? 0) + 1);
}
