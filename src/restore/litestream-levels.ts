import type { Txid } from "../ltx/format.ts";
import { isSnapshotFile, type RestoreFile } from "./restore-file.ts";

/**
 * Litestream deletes single files once a higher level has merged them, and everything behind which lies its
 * oldest snapshot. So a file there whose base is in no file follows a hole only where the TXID before it is in
 * no other level, and the history that is kept reaches back to it.
 * @returns whether the TXID before a file is accounted for in that way. In our own layout none is.
 */
export function bridges(files: readonly RestoreFile[]): (file: RestoreFile) => boolean {
  const leveled = files.filter(({ level }) => level !== undefined);
  const merged = new Coverage(leveled.filter((file) => !isSnapshotFile(file)));
  const [first, ...others] = leveled.filter(isSnapshotFile).map(({ maxTxid }) => maxTxid);
  const oldest =
    first === undefined ? undefined : others.reduce((least, txid) => (txid < least ? txid : least), first);
  return ({ level, minTxid }) => {
    if (level === undefined) return false;
    const before = minTxid - 1n;
    return merged.holds(before) || (oldest !== undefined && before <= oldest);
  };
}

/** Which TXIDs lie within files. */
class Coverage {
  /** Disjoint and ascending, as [first, last]. */
  readonly #ranges: Array<[Txid, Txid]> = [];

  constructor(files: readonly RestoreFile[]) {
    for (const { minTxid, maxTxid } of files.toSorted((a, b) => (a.minTxid < b.minTxid ? -1 : 1))) {
      const last = this.#ranges.at(-1);
      if (last === undefined || minTxid > last[1] + 1n) this.#ranges.push([minTxid, maxTxid]);
      else if (maxTxid > last[1]) last[1] = maxTxid;
    }
  }

  holds(txid: Txid): boolean {
    return this.#ranges.some(([first, last]) => first <= txid && txid <= last);
  }
}
