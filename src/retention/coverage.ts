import type { Checksum, Txid } from "../ltx/format.ts";
import type { RestoreFile } from "../restore/restore-file.ts";

/** The steps that incrementals take which stay, and so which others they make dispensable. */
export class Coverage {
  /** Disjoint, not adjacent, ascending, as [first, last]. */
  readonly #ranges: Array<[Txid, Txid]> = [];
  readonly #before = new Map<Txid, Checksum>();
  readonly #after = new Map<Txid, Checksum>();

  constructor(staying: readonly RestoreFile[]) {
    for (const { minTxid, maxTxid, preApply, postApply } of staying.toSorted(byMinTxid)) {
      const last = this.#ranges.at(-1);
      if (last === undefined || minTxid > last[1] + 1n) this.#ranges.push([minTxid, maxTxid]);
      else if (maxTxid > last[1]) last[1] = maxTxid;
      if (preApply) this.#before.set(minTxid, preApply);
      if (postApply) this.#after.set(maxTxid, postApply);
    }
  }

  /** All that it holds is held by others as well, and nothing says that it belongs to another history. */
  covers({ minTxid, maxTxid, preApply, postApply }: RestoreFile): boolean {
    const range = this.#ranges.find(([, last]) => maxTxid <= last);
    if (range === undefined || minTxid < range[0]) return false;
    return agree(preApply, this.#before.get(minTxid)) && agree(postApply, this.#after.get(maxTxid));
  }
}

/** What is not known contradicts nothing. */
function agree(one: Checksum | undefined, other: Checksum | undefined): boolean {
  return !one || !other || one === other;
}

export function byMinTxid(a: RestoreFile, b: RestoreFile): number {
  if (a.minTxid !== b.minTxid) return a.minTxid < b.minTxid ? -1 : 1;
  if (a.maxTxid !== b.maxTxid) return a.maxTxid < b.maxTxid ? -1 : 1;
  return 0;
}
