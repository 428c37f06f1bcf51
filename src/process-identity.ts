import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** Names one process for good: a pid alone is used again, also by the first process of a restarted container. */
export interface ProcessIdentity {
  readonly host: string;
  readonly pid: number;
  /** When the process began, in clock ticks since boot (field 22 of /proc/PID/stat); empty where that is not known. */
  readonly started: string;
}

let ownStart: string | undefined;

export function ownIdentity(): ProcessIdentity {
  ownStart ??= startOfProcess(process.pid) ?? "";
  return { host: hostname(), pid: process.pid, started: ownStart };
}

/** Another one after every start of the machine, and on each of its copies; empty where that is not known. */
export function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return ""; // not Linux
  }
}

/** False only when it is certain that the process has ended. A process of another host is taken for alive. */
export function mayBeAlive(identity: ProcessIdentity): boolean {
  if (identity.host !== hostname()) return true;
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const started = startOfProcess(identity.pid);
  return started === undefined || identity.started === "" || started === identity.started;
}

function startOfProcess(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined; // not Linux, or gone: the caller falls back on the pid
  }
  // the second field is the name in parentheses, and may itself contain anything
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

/**
 * This process as a part of a file's name, so that whoever comes after a crash can tell that nobody needs the file any more: a hash of its machine's
 * name, its pid, and when it began.
 */
export function ownMark(): string {
  const { pid, started } = ownIdentity();
  return `${hostMark()}-${pid}-${started}`;
}

/** True only when it is certain that the process has ended; so never for what is no mark. */
export function isMarkOfTheDead(mark: string): boolean {
  const [, host, pid, started = ""] = /^([0-9a-f]{8})-(\d+)-(\d*)$/.exec(mark) ?? [];
  return host === hostMark() && !mayBeAlive({ host: hostname(), pid: Number(pid), started });
}

function hostMark(): string {
  return createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
}
