import { readdirSync, readlinkSync } from "node:fs";
import { sampleTree, type TreeSample } from "../../src/bench/process-tree.ts";

export interface ProcessSample extends TreeSample {
  readonly threads: number;
  /** Of its descriptors. */
  readonly sockets: number;
}

/** Undefined for a process that has ended. */
export function sampleProcess(pid: number): ProcessSample | undefined {
  try {
    const targets = readdirSync(`/proc/${pid}/fd`).map((descriptor) => targetOf(pid, descriptor));
    return {
      ...sampleTree(pid),
      threads: readdirSync(`/proc/${pid}/task`).length,
      sockets: targets.filter((target) => target.startsWith("socket:")).length,
    };
  } catch {
    return undefined;
  }
}

function targetOf(pid: number, descriptor: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${descriptor}`);
  } catch {
    // closed meanwhile
    return "";
  }
}
