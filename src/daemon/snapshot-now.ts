import type { DatabaseSettings } from "../config/settings.ts";
import type { PublishedFile } from "../replication/publisher.ts";
import { DatabaseLock } from "../shadow/lock.ts";
import { createShadowFolder, shadowFolder } from "../shadow/shadow-folder.ts";
import { inspectDatabase } from "../sqlite/inspect.ts";
import { ActiveTask, type TaskDependencies } from "./active-task.ts";
import { askDaemon } from "./ask-daemon.ts";

export interface SnapshotTaken {
  readonly key: string;
  readonly txid: bigint;
  readonly sizeBytes: number;
  /** Who took it: a daemon that watches the database, or this process. */
  readonly by: "daemon" | "here";
}

/**
 * One full snapshot now: by the daemon that watches the database, if one does, else by syncing it once here.
 * Errors: DATABASE_*, STORAGE_*, LOCAL_*.
 */
export async function snapshotNow(
  database: DatabaseSettings,
  deps: TaskDependencies,
): Promise<SnapshotTaken> {
  const { paths } = inspectDatabase(database.path);
  const folder = shadowFolder(paths.database, deps.daemon.shadowDir);
  createShadowFolder(folder);
  const holder = DatabaseLock.holder(folder.lock);
  if (holder !== undefined && holder.controlSocket !== "") {
    const request = { command: "snapshot", database: paths.database } as const;
    const { key, txid, sizeBytes } = await askDaemon(holder.controlSocket, request, { signal: deps.abort });
    return { key, txid: BigInt(txid), sizeBytes, by: "daemon" };
  }
  return snapshotHere(database, deps);
}

async function snapshotHere(database: DatabaseSettings, deps: TaskDependencies): Promise<SnapshotTaken> {
  let taken: Promise<PublishedFile> | undefined;
  const done = (snapshot: Promise<PublishedFile>) => {
    taken = snapshot;
    snapshot.catch(() => {}); // how the task ends says the same
  };
  const once = { ...deps, daemon: { ...deps.daemon, once: true } };
  const task = new ActiveTask(once, { database: () => database, asked: { trigger: "command", done } });
  deps.abort.addEventListener("abort", () => task.stop(), { once: true });
  const end = await task.run();
  if (end.kind === "ended" && end.result.error !== undefined) throw end.result.error;
  if (taken === undefined) throw new Error("a task without an error has served its database");
  const { key, maxTxid, sizeBytes } = await taken;
  return { key, txid: maxTxid, sizeBytes, by: "here" };
}
