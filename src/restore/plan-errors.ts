import { WalrustError } from "../errors.ts";
import type { Txid } from "../ltx/format.ts";
import { Chains } from "./chains.ts";
import { isSnapshotFile, knownFiles, type RestoreFile, type RestoreFiles } from "./restore-file.ts";
import type { TimelinePoint } from "./timeline.ts";

/** What one planning works with, and its errors are told from. */
export interface Planning {
  readonly files: RestoreFiles;
  /** Over the files that are present. */
  readonly chains: Chains;
  /** Over all that are known. */
  readonly timeline: readonly TimelinePoint[];
}

export function nothingThere(name: string): WalrustError {
  return new WalrustError("RESTORE_NOTHING", `there is no backup of "${name}" in this storage`, {
    hint: "See `walrust list` for the databases that are there.",
  });
}

function noSnapshot(name: string): WalrustError {
  return new WalrustError("RESTORE_NOTHING", `"${name}" has files, but no snapshot to begin with`, {
    hint: "Run `walrust verify` to see what is there.",
  });
}

export function twoHistories(name: string, txid: Txid, endings: readonly RestoreFile[]): WalrustError {
  const keys = endings.map(({ key }) => key);
  return new WalrustError(
    "INTEGRITY_CHAIN",
    `"${name}" has two histories that differ at TXID ${txid}: ${keys.join(", ")}`,
    {
      hint: "Two writers published under one name: restore a --txid before they parted, and give each its own prefix.",
      details: { txid: String(txid), objects: keys.join(" ") },
    },
  );
}

/**
 * Why a TXID that the backup should hold is out of reach: objects that are gone, or that do not fit.
 * Undefined where nothing is lost, and the TXID is beyond the end, between two restore points, or in a
 * stretch of history that later snapshots made dispensable.
 */
export function lossAt({ files, chains }: Planning, txid: Txid): WalrustError | undefined {
  const { name, missing, headTxid } = files;
  if (txid > headTxid) return undefined;
  const whole = missing.length > 0 ? new Chains(knownFiles(files)) : chains;
  if (whole.reaches(txid)) {
    return missingObjects(
      name,
      whole.chainTo(txid).filter((file) => missing.includes(file)),
    );
  }
  const last = chains.txids().at(-1);
  if (last === undefined) {
    const snapshots = missing.filter(isSnapshotFile);
    return snapshots.length > 0 ? missingObjects(name, snapshots) : noSnapshot(name);
  }
  return txid > last ? brokenEnd({ files, chains }, last) : undefined;
}

function missingObjects(name: string, gone: readonly RestoreFile[]): WalrustError {
  const keys = gone.map(({ key }) => key);
  return new WalrustError(
    "INTEGRITY_MISSING",
    `objects of "${name}" that its manifest names are gone: ${keys.join(", ")}`,
    {
      hint: "Bring them back (object versions, another copy), or restore an earlier point: see `walrust list`.",
      details: {
        objects: keys.join(" "),
        first_txid: String(gone[0]?.minTxid),
        last_txid: String(gone.at(-1)?.maxTxid),
      },
    },
  );
}

/**
 * Nothing behind `last` can be reached: what follows is gone, belongs to another database, or there are TXIDs
 * in no object.
 */
function brokenEnd({ files, chains }: Pick<Planning, "files" | "chains">, last: Txid): WalrustError {
  const { name, headTxid } = files;
  const follows = ({ minTxid, maxTxid }: RestoreFile) => maxTxid > last && chains.reaches(minTxid - 1n);
  const gone = files.missing.find(follows);
  if (gone) return missingObjects(name, [gone]);
  const misfit = files.present.find(follows);
  if (misfit) {
    return new WalrustError(
      "INTEGRITY_CHAIN",
      `${misfit.key} does not follow the files before it: its pre-apply checksum is another`,
      {
        hint: `TXID ${last} is the last that can be restored.`,
        details: { object: misfit.key, last_txid: String(last) },
      },
    );
  }
  const beyond = knownFiles(files).filter(({ maxTxid }) => maxTxid > last);
  const [resumes = headTxid + 1n] = beyond.map(({ minTxid }) => minTxid).sort((a, b) => (a < b ? -1 : 1));
  const lost = { first: (chains.txids().findLast((txid) => txid < resumes) ?? 0n) + 1n, last: resumes - 1n };
  return new WalrustError(
    "INTEGRITY_MISSING",
    `TXIDs ${lost.first} to ${lost.last} of "${name}" are in no object`,
    {
      hint: `TXID ${last} is the last that can be restored.`,
      details: {
        first_txid: String(lost.first),
        last_txid: String(lost.last),
        last_reachable_txid: String(last),
      },
    },
  );
}

type Wanted = { readonly txid: Txid } | { readonly timestampMs: number };

/** No restore point is exactly there. `near`: the points at or before it and behind it are named. */
export function unreachable({ files, chains, timeline }: Planning, wanted: Wanted, near: Txid): WalrustError {
  const reachable = chains.txids();
  const [first, last] = [reachable[0], reachable.at(-1)];
  if (first === undefined || last === undefined) return noSnapshot(files.name);
  const times = new Map(timeline.map(({ txid, timestampMs }) => [txid, new Date(timestampMs).toISOString()]));
  const describe = (txid: Txid) => `TXID ${txid}${times.has(txid) ? ` (${times.get(txid)})` : ""}`;
  const before = reachable.findLast((txid) => txid <= near);
  const after = reachable.find((txid) => txid > near);
  const sides = [before, after].filter((txid) => txid !== undefined).map(describe);

  const what = "txid" in wanted ? `TXID ${wanted.txid}` : new Date(wanted.timestampMs).toISOString();
  const nearest =
    sides.length > 1 ? `the points on either side are ${sides.join(" and ")}` : `the nearest is ${sides[0]}`;
  return new WalrustError(
    "RESTORE_UNREACHABLE",
    `"${files.name}" cannot be restored to ${what} exactly: ${nearest}`,
    {
      hint:
        `Restore points reach from ${describe(first)} to ${describe(last)}. ` +
        ("txid" in wanted ? "Give one of them as --txid." : "With --nearest the one before is taken."),
      details: {
        first_txid: String(first),
        last_txid: String(last),
        first_time: times.get(first) ?? null,
        last_time: times.get(last) ?? null,
        before_txid: before === undefined ? null : String(before),
        before_time: (before !== undefined && times.get(before)) || null,
        after_txid: after === undefined ? null : String(after),
        after_time: (after !== undefined && times.get(after)) || null,
      },
    },
  );
}
