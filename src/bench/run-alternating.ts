import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { killChildren } from "./child.ts";
import { judgedRun } from "./judged-run.ts";
import type { Tool } from "./tools/tool.ts";
import { TooLong } from "./until.ts";
import { type Bench, VoidRun, type Workload } from "./workload.ts";

/** A process that is being killed may write its last file meanwhile. */
const REMOVAL = { recursive: true, force: true, maxRetries: 10 } as const;

/** What one run measured, by the names of the measures. */
export type Values = Readonly<Record<string, number>>;

/** What one tool measured, run by run. */
export interface ToolRuns {
  readonly tool: string;
  readonly runs: readonly Values[];
}

export interface Alternation extends Pick<Bench, "options" | "writer"> {
  /** Of each tool. */
  readonly runs: number;
  /** An existing folder: the disk that is measured. All that is made in it goes again. */
  readonly folder: string;
  /** When it is aborted, what runs is killed, and the measuring ends with its reason. */
  readonly signal?: AbortSignal;
  /** Before each run, which counts from 0. */
  readonly onRun?: (tool: string, run: number) => void;
  /** After each run that counts. */
  readonly onValues?: (tool: string, run: number, values: Values) => void;
  /**
   * A run of a peer is void, or took longer than any limit: its result is left out, and it is not run again. Without this that ends the
   * measuring, as it always does for ours.
   */
  readonly onVoidPeer?: (tool: string, run: number, error: VoidRun | TooLong) => void;
}

/**
 * The first tool is ours, the others are peers.
 * Measures tool by tool in every run, in turned order in every second one, so that a noisy minute meets all of them.
 * Errors: VoidRun, after which nothing that was measured counts.
 */
export async function runAlternating(
  workload: Workload,
  tools: readonly Tool[],
  { runs, folder, signal, onRun, onValues, onVoidPeer, ...common }: Alternation,
): Promise<readonly ToolRuns[]> {
  let results = tools.map((tool) => ({ tool: tool.name, runs: [] as Values[] }));
  const scratchRoot = mkdtempSync(join(realpathSync(folder), "walrust-bench-"));
  try {
    for (let run = 0; run < runs; run++) {
      const order = run % 2 === 0 ? tools : [...tools].reverse();
      for (const tool of order) {
        const result = results.find((one) => one.tool === tool.name);
        if (result === undefined) continue; // void in a run before
        signal?.throwIfAborted();
        onRun?.(tool.name, run);
        const scratch = join(scratchRoot, `${tool.name}-${run}`);
        mkdirSync(scratch);
        try {
          const values = await orAborted(judgedRun(workload, tool, { ...common, run, scratch }), signal);
          result.runs.push(values);
          onValues?.(tool.name, run, values);
        } catch (error) {
          const isVoid = error instanceof VoidRun || error instanceof TooLong;
          if (!isVoid || onVoidPeer === undefined || tool === tools[0]) throw error;
          killChildren();
          results = results.filter((one) => one !== result);
          onVoidPeer(tool.name, run, error);
        }
        if (!workload.keepsFiles) rmSync(scratch, REMOVAL);
      }
    }
    return results;
  } finally {
    killChildren(); // of a run that ended before its end
    rmSync(scratchRoot, REMOVAL);
  }
}

/** Once the signal is aborted, the work's processes are killed, and what comes of it is waited for no longer. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      killChildren();
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
