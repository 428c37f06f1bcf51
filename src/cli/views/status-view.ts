import { humanAge, humanDuration, humanSize } from "../../observability/human.ts";
import type { DaemonDocument, DatabaseDocument } from "../../observability/status-document.ts";
import { formatTable } from "../table.ts";

/** `status --json`. The keys are stable: users parse them. Sizes are bytes, times RFC 3339 or null, TXIDs integers. */
export function statusDocument(daemons: readonly DaemonDocument[]) {
  return { daemons };
}

export function statusText(daemons: readonly DaemonDocument[], nowMs: number): string {
  if (daemons.length === 0) return "no walrust is running";
  return daemons.map((daemon) => daemonText(daemon, nowMs)).join("\n\n");
}

function daemonText({ pid, started, storage, databases }: DaemonDocument, nowMs: number): string {
  const uptime = started === null ? "" : `, up ${humanDuration(nowMs - Date.parse(started))}`;
  const head = `process ${pid}${uptime}, to ${storage}`;
  if (databases.length === 0) return `${head}\nno databases yet`;
  const columns = [
    { title: "DATABASE" },
    { title: "STATE" },
    { title: "TXID", align: "right" },
    { title: "LAG", align: "right" },
    { title: "PENDING", align: "right" },
    { title: "PUBLISHED" },
    { title: "SNAPSHOT" },
    { title: "ERROR" },
  ] as const;
  return `${head}\n${formatTable(
    columns,
    databases.map((database) => row(database, nowMs)),
  )}`;
}

function row(database: DatabaseDocument, nowMs: number): readonly string[] {
  const { error } = database;
  return [
    database.name,
    database.state,
    String(database.published_txid ?? "-"),
    database.lag_ms === 0 ? "0" : humanDuration(database.lag_ms),
    humanSize(database.pending),
    ageOf(database.last_published, nowMs),
    ageOf(database.snapshot_taken, nowMs),
    error === null ? "" : `${error.code}: ${error.message}`,
  ];
}

function ageOf(time: string | null, nowMs: number): string {
  return time === null ? "-" : humanAge(Date.parse(time), nowMs);
}
