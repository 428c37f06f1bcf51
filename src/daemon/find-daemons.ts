import { rmSync } from "node:fs";
import { basename } from "node:path";
import type { Clock } from "../clock.ts";
import { isWalrustError, toWalrustError, WalrustError } from "../errors.ts";
import type { DaemonDocument } from "../observability/status-document.ts";
import { askDaemon } from "./ask-daemon.ts";
import { listSockets, otherUsers, socketFolders } from "./socket-folder.ts";

export interface FindOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly folders?: readonly string[];
}

export interface FoundDaemons {
  /** By pid. */
  readonly daemons: readonly DaemonDocument[];
  /** Of those that listen and yet do not answer: they must not hide the others. */
  readonly failures: readonly WalrustError[];
}

const ANSWER_LIMIT_MS = 5000;

/** What each of this user's daemons says of itself. Sockets that a crash left behind are removed. Errors: ABORTED. */
export async function findDaemons({
  folders = socketFolders(),
  ...options
}: FindOptions): Promise<FoundDaemons> {
  const daemons: DaemonDocument[] = [];
  const failures: WalrustError[] = [];
  const ask = async (path: string) => {
    try {
      daemons.push(await statusAt(path, options));
    } catch (error) {
      options.signal.throwIfAborted();
      if (isWalrustError(error, "NOT_RUNNING")) removeStale(path);
      else failures.push(toWalrustError(error));
    }
  };
  await Promise.all(listSockets(folders).map(ask));
  return { daemons: daemons.sort((a, b) => a.pid - b.pid), failures };
}

/** Nobody answers: says who else may. */
export function noDaemon(folders = socketFolders()): WalrustError {
  const others = otherUsers(folders);
  return new WalrustError("NOT_RUNNING", "no walrust of this user is running on this machine", {
    hint:
      others.length === 0
        ? "`walrust watch` starts one; one that runs in a container is asked inside it."
        : `Other users may have one: sudo -u '#${others[0]}' walrust status (users: ${others.join(", ")})`,
  });
}

async function statusAt(path: string, { clock, signal }: FindOptions): Promise<DaemonDocument> {
  const limit = new AbortController();
  const cancel = clock.schedule(ANSWER_LIMIT_MS, () => limit.abort());
  try {
    return await askDaemon(path, { command: "status" }, { signal: AbortSignal.any([signal, limit.signal]) });
  } finally {
    cancel();
  }
}

/** One that is just about to listen refuses too, but lives. */
function removeStale(path: string): void {
  try {
    process.kill(Number.parseInt(basename(path), 10), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") rmSync(path, { force: true });
  }
}
