import type { Txid } from "../ltx/format.ts";
import { isSnapshotFile, type RestoreFile } from "./restore-file.ts";

/**
 * The cheapest way to one state of the database: a file, and what it is applied to (nothing below a
 * snapshot).
 */
interface Link {
  readonly file: RestoreFile;
  readonly below: Link | undefined;
  readonly cost: number;
}

/** What a file costs beyond its bytes: a request and its decoder, as bytes that could be read meanwhile. */
const COST_OF_A_FILE = 65536;

/**
 * Every state that files lead to exactly: a snapshot, then files each of which begins with the TXID after the
 * one before, and (as far as both are known) with the checksum that the one before ends with. Files may
 * overlap; nothing is ever applied over a hole.
 */
export class Chains {
  /** Several links for a TXID where their checksums after it differ. */
  readonly #links = new Map<Txid, Link[]>();
  readonly #attached: RestoreFile[] = [];
  /** The reachable TXIDs, ascending. */
  readonly #txids: Txid[] = [];

  constructor(files: Iterable<RestoreFile>) {
    // A file only builds on smaller TXIDs than its last one.
    for (const file of [...files].sort(byMaxTxid)) {
      const link = this.#attach(file);
      if (link === undefined) continue;
      this.#attached.push(file);
      this.#keepCheapest(link);
    }
  }

  reaches(txid: Txid): boolean {
    return this.#links.has(txid);
  }

  /** The reachable TXIDs, ascending. */
  txids(): Txid[] {
    return [...this.#txids];
  }

  /** The files that lead to a state; what is not among them follows nothing that is there. */
  get attached(): readonly RestoreFile[] {
    return this.#attached;
  }

  /** The cheapest chain to a reachable TXID, snapshot first. */
  chainTo(txid: Txid): RestoreFile[] {
    const files: RestoreFile[] = [];
    const last = cheapest(this.#links.get(txid) ?? []);
    for (let link = last; link; link = link.below) files.push(link.file);
    return files.reverse();
  }

  /** The files of the cheapest chains to all of these TXIDs, as far as they are reachable. */
  filesTo(txids: Iterable<Txid>): Set<RestoreFile> {
    const files = new Set<RestoreFile>();
    for (const txid of txids) {
      // A file has one way to it: where one is counted already, so is what lies below.
      let link = cheapest(this.#links.get(txid) ?? []);
      for (; link && !files.has(link.file); link = link.below) files.add(link.file);
    }
    return files;
  }

  /**
   * Files that lead to a TXID and are known to leave different databases: more than one means two histories.
   */
  endings(txid: Txid): RestoreFile[] {
    return (this.#links.get(txid) ?? []).map(({ file }) => file).filter(({ postApply }) => postApply);
  }

  #attach(file: RestoreFile): Link | undefined {
    const own = file.sizeBytes + COST_OF_A_FILE;
    if (isSnapshotFile(file)) return { file, below: undefined, cost: own };
    const below = cheapest(this.#bases(file).filter((link) => follows(file, link.file)));
    return below && { file, below, cost: below.cost + own };
  }

  /**
   * What a file may be applied to. In our layout exactly the state that it was made for. In Litestream's, where
   * files name none, also any state within its own range: it holds the newest version of every page that
   * changed in there, so that the state at its end comes out all the same. After Litestream has pruned the
   * single files, that is the only way from a snapshot into a merged one.
   */
  #bases(file: RestoreFile): readonly Link[] {
    const exact = this.#links.get(file.minTxid - 1n) ?? [];
    if (file.level === undefined) return exact;
    const within = this.#txids
      .slice(firstAtLeast(this.#txids, file.minTxid))
      .filter((txid) => txid < file.maxTxid);
    return [...exact, ...within.flatMap((txid) => this.#links.get(txid) ?? [])];
  }

  #keepCheapest(link: Link): void {
    const { maxTxid } = link.file;
    const links = this.#links.get(maxTxid) ?? [];
    if (links.length === 0) this.#txids.push(maxTxid);
    const same = links.findIndex(({ file }) => file.postApply === link.file.postApply);
    if (same < 0) links.push(link);
    else if (link.cost < (links[same]?.cost ?? 0)) links[same] = link;
    this.#links.set(maxTxid, links);
  }
}

/** The points that can be restored from these files, ascending. */
export function restorableTxids(files: Iterable<RestoreFile>): Txid[] {
  const chains = new Chains(files);
  return chains.txids().filter((txid) => chains.endings(txid).length <= 1);
}

function cheapest(links: readonly Link[]): Link | undefined {
  return links.reduce<Link | undefined>(
    (best, link) => (best === undefined || link.cost < best.cost ? link : best),
    undefined,
  );
}

/**
 * Checksums that are not known (not read yet, or 0 in NoChecksum files) forbid nothing; the restore itself
 * proves them.
 */
function follows(file: RestoreFile, below: RestoreFile): boolean {
  return !file.preApply || !below.postApply || file.preApply === below.postApply;
}

/** Where in an ascending list the first number that is not smaller stands. */
function firstAtLeast(txids: readonly Txid[], least: Txid): number {
  let [low, high] = [0, txids.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((txids[middle] ?? least) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

function byMaxTxid(a: RestoreFile, b: RestoreFile): number {
  if (a.maxTxid !== b.maxTxid) return a.maxTxid < b.maxTxid ? -1 : 1;
  // Between equals the same one always wins.
  return a.key < b.key ? -1 : 1;
}
