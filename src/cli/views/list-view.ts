import { humanAge, humanSize } from "../../observability/human.ts";
import type { ListedDatabase, RestorePoints } from "../../restore/list.ts";
import { isSnapshotFile, type RestoreFile } from "../../restore/restore-file.ts";
import { formatTable } from "../table.ts";
import { timeText } from "../times.ts";
import { manifestNotes } from "./manifest-notes.ts";

/** `list --json`. Sizes are bytes, times RFC 3339 or null, TXIDs integers. The keys are stable: users parse them. */
export function databasesDocument(url: string, databases: readonly ListedDatabase[]) {
  return {
    storage: url,
    databases: databases.map((database) => ({
      name: database.name,
      layout: database.layout,
      txid: database.txid,
      last_modified: timeText(database.lastModifiedMs),
      snapshot_txid: database.snapshotTxid ?? null,
      snapshot_modified: timeText(database.snapshotModifiedMs) ?? null,
      files: database.files,
      size: database.sizeBytes,
    })),
  };
}

export function databasesText(url: string, databases: readonly ListedDatabase[], nowMs: number): string {
  if (databases.length === 0) return `no databases in ${url}`;
  const columns = [
    { title: "DATABASE" },
    { title: "TXID", align: "right" },
    { title: "CHANGED" },
    { title: "SNAPSHOT", align: "right" },
    { title: "TAKEN" },
    { title: "FILES", align: "right" },
    { title: "SIZE", align: "right" },
    ...(databases.some(isForeign) ? [{ title: "LAYOUT" } as const] : []),
  ] as const;
  const rows = databases.map((database) => [
    database.name,
    String(database.txid),
    humanAge(database.lastModifiedMs, nowMs),
    String(database.snapshotTxid ?? "none"),
    database.snapshotModifiedMs === undefined ? "-" : humanAge(database.snapshotModifiedMs, nowMs),
    String(database.files),
    humanSize(database.sizeBytes),
    ...(databases.some(isForeign) ? [database.layout] : []),
  ]);
  return formatTable(columns, rows);
}

/** Few have copies in both layouts: a column that says the same everywhere is none. */
function isForeign({ layout }: ListedDatabase): boolean {
  return layout !== "walrust";
}

/** `list NAME --json`; with `--files` also the files. */
export function pointsDocument(listed: RestorePoints, options: { readonly files: boolean }) {
  return {
    name: listed.name,
    head_txid: listed.headTxid,
    points: listed.points.map((point) => ({
      txid: point.txid,
      timestamp: timeText(point.timestampMs),
      is_snapshot: point.isSnapshot,
      after_hole: point.afterHole,
    })),
    missing: listed.missing,
    manifest: listed.manifest,
    ...(options.files ? { files: listed.files.map(fileDocument) } : {}),
  };
}

function fileDocument(file: RestoreFile) {
  return {
    key: file.key,
    min_txid: file.minTxid,
    max_txid: file.maxTxid,
    size: file.sizeBytes,
    timestamp: timeText(file.timestampMs) ?? null,
    is_snapshot: isSnapshotFile(file),
    sha256: file.bodySha256 ?? null,
  };
}

export function pointsText(listed: RestorePoints, nowMs: number): string {
  const columns = [
    { title: "TXID", align: "right" },
    { title: "TIME" },
    { title: "AGE" },
    { title: "" },
  ] as const;
  const rows = listed.points.map((point) => [
    String(point.txid),
    timeText(point.timestampMs) ?? "-",
    humanAge(point.timestampMs, nowMs),
    [point.isSnapshot ? "snapshot" : "", point.afterHole ? "(single commits before it are not known)" : ""]
      .filter((note) => note !== "")
      .join(" "),
  ]);
  return [formatTable(columns, rows), ...lossLines(listed)].join("\n");
}

export function filesText(listed: RestorePoints, nowMs: number): string {
  const columns = [
    { title: "FILE" },
    { title: "KIND" },
    { title: "SIZE", align: "right" },
    { title: "TIME" },
    { title: "AGE" },
  ] as const;
  const rows = listed.files.map((file) => [
    file.key,
    isSnapshotFile(file) ? "snapshot" : "incremental",
    humanSize(file.sizeBytes),
    timeText(file.timestampMs) ?? "-",
    file.timestampMs === undefined ? "-" : humanAge(file.timestampMs, nowMs),
  ]);
  return [formatTable(columns, rows), ...lossLines(listed)].join("\n");
}

/** What is gone is said wherever somebody looks at what is there. */
function lossLines({ missing, points, headTxid, name, manifest }: RestorePoints): readonly string[] {
  const newest = points.at(-1)?.txid ?? 0n;
  const behind = newest === headTxid ? [] : [`TXID ${headTxid} was published, and cannot be restored`];
  const losses = [...missing.map((key) => `missing: ${key}`), ...behind];
  const advice = losses.length === 0 ? [] : [`Run \`walrust verify ${name}\` to see what it costs.`];
  const lines = [...losses, ...advice, ...manifestNotes(name, manifest)];
  return lines.length === 0 ? [] : ["", ...lines];
}
