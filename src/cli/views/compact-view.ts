import { humanAge, humanDuration, humanSize } from "../../observability/human.ts";
import { isSnapshotFile, type RestoreFile } from "../../restore/restore-file.ts";
import type { CompactReport } from "../../retention/compact.ts";
import { formatTable } from "../table.ts";
import { timeText } from "../times.ts";
import { fileCount } from "./file-count.ts";

interface When {
  readonly nowMs: number;
  readonly durationMs: number;
}

/** `compact --json`. Sizes are bytes, times RFC 3339, TXIDs integers. The keys are stable: users parse them. */
export function compactDocument(report: CompactReport, { durationMs }: When) {
  const { plan, policy, merges } = report;
  return {
    name: report.name,
    done: report.isDone,
    retention: policy.retention,
    compaction: { fine_window_ms: policy.compaction.fineWindowMs, step_ms: policy.compaction.stepMs },
    snapshots: plan.snapshots.map(({ file, timestampMs, reasons }) => ({
      key: file.key,
      txid: file.maxTxid,
      timestamp: timeText(timestampMs),
      size: file.sizeBytes,
      reasons,
    })),
    untouched: plan.untouched.map(({ key, sizeBytes }) => ({ key, size: sizeBytes })),
    merges: merges.map(({ key, merge, sourceBytes, sizeBytes }) => ({
      key,
      min_txid: merge.minTxid,
      max_txid: merge.maxTxid,
      sources: merge.sources.map((source) => source.key),
      sources_size: sourceBytes,
      size: sizeBytes ?? null,
    })),
    deletions: plan.deletions.map(({ file, why }) => ({
      key: file.key,
      size: file.sizeBytes,
      is_snapshot: isSnapshotFile(file),
      why,
    })),
    forgotten: plan.forgotten.map(({ key }) => key),
    size_before: report.sizeBytesBefore,
    size_after: report.sizeBytesAfter,
    duration_ms: Math.round(durationMs),
  };
}

export function compactText(report: CompactReport, when: When): string {
  return [snapshotTable(report, when.nowMs), "", incrementalTable(report), "", ...summary(report, when)].join(
    "\n",
  );
}

/** Newest first: those that stay, with the reasons, among those that go. */
function snapshotTable({ plan, isDone }: CompactReport, nowMs: number): string {
  const gone = plan.deletions.map(({ file }) => file).filter(isSnapshotFile);
  const goes = isDone ? "deleted" : "goes";
  const rows = [
    ...plan.snapshots.map(({ file, timestampMs, reasons }) => ({
      file,
      timestampMs,
      what: `stays: ${reasons.join(", ")}`,
    })),
    ...gone.map((file) => ({ file, timestampMs: file.timestampMs, what: goes })),
  ].sort((a, b) => (a.file.maxTxid > b.file.maxTxid ? -1 : 1));
  const columns = [
    { title: "SNAPSHOT", align: "right" },
    { title: "TIME" },
    { title: "AGE" },
    { title: "SIZE", align: "right" },
    { title: "" },
  ] as const;
  return formatTable(
    columns,
    rows.map(({ file, timestampMs, what }) => [
      String(file.maxTxid),
      timeText(timestampMs) ?? "-",
      timestampMs === undefined ? "-" : humanAge(timestampMs, nowMs),
      humanSize(file.sizeBytes),
      what,
    ]),
  );
}

/** There may be thousands of them: how many, and how much. */
function incrementalTable({ plan, merges, isDone }: CompactReport): string {
  const gone = plan.deletions.map(({ file }) => file).filter((file) => !isSnapshotFile(file));
  const sources = merges.flatMap(({ merge }) => merge.sources);
  const merged = `merged into ${fileCount(merges.length)}`;
  const rows: ReadonlyArray<readonly [string, readonly RestoreFile[]]> = [
    ["stay as they are", plan.untouched],
    [isDone ? merged : `to be ${merged}`, sources],
    [isDone ? "deleted" : "go", gone],
  ];
  const columns = [
    { title: "INCREMENTALS", align: "right" },
    { title: "SIZE", align: "right" },
    { title: "" },
  ] as const;
  return formatTable(
    columns,
    rows.map(([what, files]) => [String(files.length), humanSize(sizeOf(files)), what]),
  );
}

function summary({ name, plan, merges, isDone, sizeBytesBefore, sizeBytesAfter }: CompactReport, when: When) {
  const { forgotten } = plan;
  const lost =
    forgotten.length === 0 ? [] : [`${fileCount(forgotten.length)} that are gone and no longer needed`];
  const notes = lost.map((what) => `${isDone ? "Taken" : "To be taken"} out of the manifest: ${what}.`);
  if (plan.deletions.length + merges.length + forgotten.length === 0) {
    return [`${name}: nothing to do, ${humanSize(sizeBytesBefore)}`];
  }
  const sizes = `${humanSize(sizeBytesBefore)} before`;
  if (isDone) {
    const after = `${humanSize(sizeBytesAfter)} after, in ${humanDuration(when.durationMs)}`;
    return [...notes, `${name}: ${sizes}, ${after}`];
  }
  return [
    ...notes,
    `${name}: ${sizes}, at most ${humanSize(sizeBytesAfter)} after. Nothing was changed: --force does it.`,
  ];
}

function sizeOf(files: readonly RestoreFile[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
