import type { WalrustError } from "../../errors.ts";
import { errorFacts } from "../../observability/error-facts.ts";
import { humanSize } from "../../observability/human.ts";
import type { Finding } from "../../restore/findings.ts";
import { isFixed, type ManifestFix } from "../../restore/fix-manifest.ts";
import type { VerifyReport } from "../../restore/verify.ts";
import { fileCount } from "./file-count.ts";

/** A verified database. */
export interface Verified {
  readonly report: VerifyReport;
  /** What became of its manifest; undefined: nobody asked for that. */
  readonly fix: ManifestFix | undefined;
  /** What a restore of it came to, if one was asked for and failed. */
  readonly restoreError: WalrustError | undefined;
}

/** One that could not be verified. */
export interface Unverified {
  readonly name: string;
  readonly error: WalrustError;
}

const FOUND_SOMETHING = 5;

/** 0: nothing is wrong, or not any more. What was found counts for more than what could not be looked at. */
export function verifyExitCode(all: ReadonlyArray<Verified | Unverified>): number {
  const codes = all.map((one) => ("error" in one ? one.error.exitCode : isSound(one) ? 0 : FOUND_SOMETHING));
  if (codes.includes(FOUND_SOMETHING)) return FOUND_SOMETHING;
  return codes.find((code) => code !== 0) ?? 0;
}

function isSound(verified: Verified): boolean {
  return (
    verified.restoreError === undefined && verified.report.findings.every((one) => wasFixed(verified, one))
  );
}

function wasFixed({ report, fix }: Verified, finding: Finding): boolean {
  return fix !== undefined && isFixed(fix, report.name, finding);
}

/** One database of `verify --json`. TXIDs are integers, sizes bytes. The keys are stable: users parse them. */
export function verifyDocument(one: Verified | Unverified) {
  if ("error" in one) return { name: one.name, ok: false, error: errorFacts(one.error) };
  const { report, fix, restoreError } = one;
  return {
    name: report.name,
    ok: isSound(one),
    findings: report.findings.map((finding) => ({
      kind: finding.kind,
      code: finding.code,
      object: finding.object,
      message: finding.message,
      lost: rangesDocument(finding.lostTxids),
      fixed: wasFixed(one, finding),
    })),
    lost: rangesDocument(lostTxids(report)),
    restore_points: report.restorableTxids.length,
    newest_restorable_txid: report.restorableTxids.at(-1) ?? null,
    head_txid: report.headTxid,
    has_manifest: report.manifest === "ok",
    manifest: report.manifest,
    fix: fix === undefined ? null : fixDocument(fix),
    files: report.checkedFiles,
    size: report.checkedBytes,
    restore_error: restoreError === undefined ? null : errorFacts(restoreError),
  };
}

function fixDocument(fix: ManifestFix) {
  return {
    manifest: fix.kind,
    named: fix.kind === "impossible" ? 0 : fix.named,
    forgotten: fix.kind === "written" ? fix.forgotten : [],
  };
}

function rangesDocument(txids: readonly bigint[]) {
  return ranges(txids).map(([min, max]) => ({ min_txid: min, max_txid: max }));
}

export function verifyText(one: Verified | Unverified): string {
  if ("error" in one) return `${one.name}: NOT VERIFIED; ${one.error.message}`;
  const { report, restoreError } = one;
  const { name, checkedFiles, checkedBytes, restorableTxids, findings } = report;
  const read = `${checkedFiles} files, ${humanSize(checkedBytes)} read`;
  const newest = restorableTxids.at(-1);
  const points =
    newest === undefined
      ? "nothing can be restored"
      : `${restorableTxids.length} restore points up to TXID ${newest}`;
  const verdict = isSound(one) ? "ok" : "NOT OK";
  return [
    `${name}: ${verdict}; ${read}; ${points}`,
    ...findings.map((finding) => {
      const mark = wasFixed(one, finding) ? "fixed: " : "";
      return `  ${mark}${finding.object}: ${finding.message}${lossText(finding.lostTxids)}`;
    }),
    ...(restoreError === undefined ? [] : [`  a restore of it fails: ${restoreError.message}`]),
    ...manifestLines(one).map((line) => `  ${line}`),
  ].join("\n");
}

function manifestLines(verified: Verified): readonly string[] {
  const { report, fix } = verified;
  const lines: string[] = [];
  if (report.manifest !== "ok") {
    const which = report.manifest === "missing" ? "no manifest" : "no sound manifest";
    lines.push(
      `It ${fix === undefined ? "has" : "had"} ${which}: whether its newest objects are gone cannot be known.`,
    );
  }
  if (fix?.kind === "written") lines.push(`The manifest was rewritten: it names ${fileCount(fix.named)}.`);
  if (fix?.kind === "impossible") lines.push("No manifest can be made: no object is sound.");
  if (!isSound(verified) && fix !== undefined) lines.push(...adviceLines(report));
  return lines;
}

/** What a manifest cannot bring back. No object is ever deleted here. */
function adviceLines(report: VerifyReport): readonly string[] {
  const lost = lostTxids(report);
  return [
    `${lost.length === 0 ? "No restore point is lost" : `Lost: TXID ${rangesText(lost)}`}. A new snapshot ` +
      "(`walrust snapshot DATABASE`) begins a sound chain; `walrust compact` takes away what is of no use then.",
  ];
}

function lostTxids({ findings }: VerifyReport): readonly bigint[] {
  const all = new Set(findings.flatMap(({ lostTxids }) => lostTxids));
  return [...all].sort((a, b) => (a < b ? -1 : 1));
}

function lossText(lostTxids: readonly bigint[]): string {
  return lostTxids.length === 0 ? "" : `; lost: TXID ${rangesText(lostTxids)}`;
}

function rangesText(txids: readonly bigint[]): string {
  return ranges(txids)
    .map(([min, max]) => (min === max ? String(min) : `${min}-${max}`))
    .join(", ");
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
