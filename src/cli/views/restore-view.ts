import { formatChecksum } from "../../ltx/checksum.ts";
import { humanAge, humanDuration, humanSize } from "../../observability/human.ts";
import type { RestoreResult } from "../../restore/restore.ts";
import { isSnapshotFile, type RestorePoint } from "../../restore/restore-file.ts";
import type { PlannedRestore } from "../../walrust.ts";
import { timeText } from "../times.ts";
import { fileCount } from "./file-count.ts";
import { manifestNotes } from "./manifest-notes.ts";

interface When {
  readonly nowMs: number;
  readonly durationMs: number;
}

/** `restore --json`. Sizes are bytes, times RFC 3339 or null, TXIDs integers. The keys are stable: users parse them. */
export function restoreDocument(result: RestoreResult, { nowMs, durationMs }: When) {
  return {
    name: result.name,
    path: result.path,
    ...pointFacts(result.point),
    age_ms: result.point.timestampMs === undefined ? null : nowMs - result.point.timestampMs,
    match: result.match,
    head_txid: result.headTxid,
    manifest: result.manifest,
    size: result.sizeBytes,
    page_size: result.pageSizeBytes,
    checksum: formatChecksum(result.databaseChecksum),
    files: result.files,
    damaged: result.damaged,
    unproven_files: result.unprovenFiles,
    files_without_body_checksum: result.filesWithoutBodyChecksum,
    duration_ms: Math.round(durationMs),
  };
}

/** `restore --dry-run --json`. */
export function planDocument(name: string, { plan, manifest }: PlannedRestore) {
  return {
    name,
    ...pointFacts(plan.point),
    match: plan.match,
    head_txid: plan.headTxid,
    manifest,
    size: plan.totalBytes,
    files: plan.files.map((file) => ({
      key: file.key,
      min_txid: file.minTxid,
      max_txid: file.maxTxid,
      size: file.sizeBytes,
      timestamp: timeText(file.timestampMs) ?? null,
      is_snapshot: isSnapshotFile(file),
    })),
  };
}

export function restoreText(result: RestoreResult, { nowMs, durationMs }: When): string {
  const facts = [
    humanSize(result.sizeBytes),
    fileCount(result.files),
    `in ${humanDuration(durationMs)}`,
  ].join(", ");
  const lines = [`restored ${result.name} to ${result.path}: ${pointText(result.point, nowMs)}; ${facts}`];
  if (result.match !== "exact") lines.push(MATCH_NOTES[result.match]);
  lines.push(...manifestNotes(result.name, result.manifest));
  for (const key of result.damaged) {
    lines.push(
      `${key} is damaged: another way was found around it; \`walrust verify ${result.name}\` says what it costs`,
    );
  }
  if (result.unprovenFiles > 0) {
    lines.push(
      `${fileCount(result.unprovenFiles)} without database checksums: that they belong together is not proved`,
    );
  }
  if (result.filesWithoutBodyChecksum > 0) {
    lines.push(`${fileCount(result.filesWithoutBodyChecksum)} of other writers: only their CRC was checked`);
  }
  return lines.join("\n");
}

export async function planText(
  name: string,
  { plan, manifest }: PlannedRestore,
  nowMs: number,
): Promise<string> {
  const { formatTable } = await import("../table.ts");
  const summary = `${name} at ${pointText(plan.point, nowMs)}: ${fileCount(plan.files.length)}, ${humanSize(plan.totalBytes)}`;
  const rows = plan.files.map((file) => [
    file.key,
    isSnapshotFile(file) ? "snapshot" : "incremental",
    humanSize(file.sizeBytes),
    timeText(file.timestampMs) ?? "-",
  ]);
  const columns = [
    { title: "FILE" },
    { title: "KIND" },
    { title: "SIZE", align: "right" },
    { title: "TIME" },
  ] as const;
  const notes = [
    ...(plan.match === "exact" ? [] : [MATCH_NOTES[plan.match]]),
    ...manifestNotes(name, manifest),
  ];
  return [formatTable(columns, rows), "", summary, ...notes].join("\n");
}

const MATCH_NOTES = {
  "after-last":
    "The time asked for is after the last known commit, so this is the latest state: the database may have been idle.",
  nearest: "The history of that time has a hole: this is the point before it.",
} as const;

function pointFacts(point: RestorePoint) {
  return { txid: point.txid, timestamp: timeText(point.timestampMs) ?? null };
}

function pointText({ txid, timestampMs }: RestorePoint, nowMs: number): string {
  const time = timeText(timestampMs);
  return timestampMs === undefined
    ? `TXID ${txid}`
    : `TXID ${txid} of ${time} (${humanAge(timestampMs, nowMs)})`;
}
