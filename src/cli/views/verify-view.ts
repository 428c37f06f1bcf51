import type { WalrustError } from "../../errors.ts";
import { errorFacts } from "../../observability/error-facts.ts";
import { humanSize } from "../../observability/human.ts";
import type { VerifyReport } from "../../restore/verify.ts";

/** A verified database; `restoreError`: what a restore of it came to, if one was asked for and failed. */
export interface Verified {
  readonly report: VerifyReport;
  readonly restoreError: WalrustError | undefined;
}

export function isSoundBackup({ report, restoreError }: Verified): boolean {
  return report.findings.length === 0 && restoreError === undefined;
}

/** One database of `verify --json`. TXIDs are integers, sizes bytes. The keys are stable: users parse them. */
export function verifyDocument(verified: Verified) {
  const { report, restoreError } = verified;
  return {
    name: report.name,
    ok: isSoundBackup(verified),
    findings: report.findings.map(({ kind, code, object, message, lostTxids }) => ({
      kind,
      code,
      object,
      message,
      lost: ranges(lostTxids).map(([min, max]) => ({ min_txid: min, max_txid: max })),
    })),
    restore_points: report.restorableTxids.length,
    newest_restorable_txid: report.restorableTxids.at(-1) ?? null,
    head_txid: report.headTxid,
    has_manifest: report.hasManifest,
    files: report.checkedFiles,
    size: report.checkedBytes,
    restore_error: restoreError === undefined ? null : errorFacts(restoreError),
  };
}

export function verifyText(verified: Verified): string {
  const { report, restoreError } = verified;
  const { name, checkedFiles, checkedBytes, restorableTxids, findings } = report;
  const read = `${checkedFiles} files, ${humanSize(checkedBytes)} read`;
  const newest = restorableTxids.at(-1);
  const points =
    newest === undefined
      ? "nothing can be restored"
      : `${restorableTxids.length} restore points up to TXID ${newest}`;
  const verdict = isSoundBackup(verified) ? "ok" : "NOT OK";
  return [
    `${name}: ${verdict}; ${read}; ${points}`,
    ...findings.map(({ object, message, lostTxids }) => `  ${object}: ${message}${lossText(lostTxids)}`),
    ...(restoreError === undefined ? [] : [`  a restore of it fails: ${restoreError.message}`]),
    ...(report.hasManifest
      ? []
      : ["  It has no manifest: whether its newest objects are gone cannot be known."]),
  ].join("\n");
}

function lossText(lostTxids: readonly bigint[]): string {
  if (lostTxids.length === 0) return "";
  const texts = ranges(lostTxids).map(([min, max]) => (min === max ? String(min) : `${min}-${max}`));
  return `; lost: TXID ${texts.join(", ")}`;
}

/** Ascending numbers as ranges without holes. */
export function ranges(txids: readonly bigint[]): readonly (readonly [min: bigint, max: bigint])[] {
  const found: [bigint, bigint][] = [];
  for (const txid of txids) {
    const last = found.at(-1);
    if (last && txid === last[1] + 1n) last[1] = txid;
    else found.push([txid, txid]);
  }
  return found;
}
