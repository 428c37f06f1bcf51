import { existsSync, readdirSync, readFileSync } from "node:fs";

/**
 * Memory and CPU of a process and all of its descendants, as Linux counts them (proc(5)). On a machine without /proc all are NaN, and the measures
 * that come of them are left out (Measure.needsProc).
 */
export interface TreeSample {
  readonly rssBytes: number;
  /** Private_Dirty of smaps_rollup: what ends with the process and no other shares. */
  readonly privateDirtyBytes: number;
  /** The greatest RSS of each process so far, added up. */
  readonly peakRssBytes: number;
  readonly cpuSeconds: number;
  readonly descriptors: number;
}

/** utime and stime count in these (sysconf(_SC_CLK_TCK), 100 on every Linux that Node runs on). */
const TICKS_PER_SECOND = 100;

const UNKNOWN: TreeSample = {
  rssBytes: Number.NaN,
  privateDirtyBytes: Number.NaN,
  peakRssBytes: Number.NaN,
  cpuSeconds: Number.NaN,
  descriptors: Number.NaN,
};

/** Linux from 4.14 on. */
export function hasProc(): boolean {
  return existsSync("/proc/self/smaps_rollup");
}

export function sampleTree(rootPid: number): TreeSample {
  if (!hasProc()) return UNKNOWN;
  const sum = { rssBytes: 0, privateDirtyBytes: 0, peakRssBytes: 0, cpuSeconds: 0, descriptors: 0 };
  for (const pid of treeOf(rootPid)) {
    const memory = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    sum.rssBytes += kilobytes(memory, "Rss");
    sum.privateDirtyBytes += kilobytes(memory, "Private_Dirty");
    sum.peakRssBytes += kilobytes(readFileSync(`/proc/${pid}/status`, "utf8"), "VmHWM");
    sum.cpuSeconds += cpuTicks(pid) / TICKS_PER_SECOND;
    sum.descriptors += readdirSync(`/proc/${pid}/fd`).length;
  }
  return sum;
}

/** Samples until it is told to stop, and keeps the last sample in which the tree still lived. */
export function followTree(rootPid: number, everyMs: number): { last(): TreeSample; stop(): void } {
  let last = sampleTree(rootPid);
  const timer = setInterval(() => {
    try {
      last = sampleTree(rootPid);
    } catch {
      // Ended, or ending: the last whole sample stands.
      clearInterval(timer);
    }
  }, everyMs);
  return { last: () => last, stop: () => clearInterval(timer) };
}

function treeOf(rootPid: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = livingParentOf(pid);
    if (parent === undefined) continue;
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), pid]);
  }
  const tree = [rootPid];
  for (const pid of tree) tree.push(...(childrenOf.get(pid) ?? []));
  return tree;
}

/** Fields of /proc/PID/stat behind the name, which may hold spaces and brackets itself: [0] is the state (field 3). */
function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** Undefined for a process that ended, also for one that nobody waited for: a zombie holds no memory. */
function livingParentOf(pid: number): number | undefined {
  try {
    const [state, parent] = statFields(pid);
    return state === "Z" ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}

function cpuTicks(pid: number): number {
  const fields = statFields(pid);
  // utime and stime, and those of children that were waited for: fields 14 to 17.
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
}

function kilobytes(text: string, key: string): number {
  const match = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(text);
  if (!match) throw new Error(`no ${key} in a file of /proc`);
  return Number(match[1]) * 1024;
}
