import { WalrustError } from "../errors.ts";
import type { Txid } from "../ltx/format.ts";
import type { ReplicaPaths } from "./replica-paths.ts";

export function changedHere(path: string): WalrustError {
  return new WalrustError(
    "INTEGRITY_CHECKSUM",
    `${path} is not what was applied to it: something else wrote to it`,
    {
      hint: "A replica is only read: whatever writes to it loses what it wrote.",
      details: { path },
    },
  );
}

export function gone(path: string): WalrustError {
  return new WalrustError("INTEGRITY_CHECKSUM", `${path} was removed, or another file was put in its place`, {
    hint: "Stop `walrust replicate` before you move or remove a replica.",
    details: { path },
  });
}

export function wrongBatch(txid: Txid): WalrustError {
  return new WalrustError(
    "INTEGRITY_CHAIN",
    `the files up to TXID ${txid} do not give the database that they claim`,
    {
      hint: "Run `walrust verify` to see what the backup is worth.",
      details: { txid: String(txid) },
    },
  );
}

export function unreadable({ database, state }: ReplicaPaths): WalrustError {
  return new WalrustError("OUTPUT_EXISTS", `${state} cannot be read: what ${database} follows is not known`, {
    hint: "Another version of walrust may have written it. Remove both, and it is copied anew.",
  });
}

export function notOurs(path: string): WalrustError {
  return new WalrustError("OUTPUT_EXISTS", `${path} exists, and is no replica`, {
    hint: "Name another file, or move that one away.",
  });
}

export function otherSource(paths: ReplicaPaths, follows: string, asked: string): WalrustError {
  return new WalrustError("USAGE", `${paths.database} follows ${follows}, not ${asked}`, {
    hint: `Name another file; or remove it with ${paths.state}, and it is copied anew.`,
  });
}

export function sourceBehind(
  name: string,
  headTxid: Txid,
  txid: Txid,
  { database, state }: ReplicaPaths,
): WalrustError {
  return new WalrustError(
    "INTEGRITY_CHAIN",
    `"${name}" ends at TXID ${headTxid}, behind the replica at ${txid}`,
    {
      hint: `A replica never goes back. If the source was begun anew, remove ${database} and ${state}.`,
      details: { head_txid: String(headTxid), txid: String(txid) },
    },
  );
}

/** @param key of a file that leaves another database at the replica's TXID */
export function anotherHistory(key: string, txid: Txid): WalrustError {
  return new WalrustError("INTEGRITY_CHAIN", `the source has another history than the replica: ${key}`, {
    hint: "It was begun anew, or another database is published under its name.",
    details: { object: key, txid: String(txid) },
  });
}
