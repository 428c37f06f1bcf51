import { hasProc } from "./process-tree.ts";
import { type Alternation, runAlternating } from "./run-alternating.ts";
import { measuresOn, type Summary, summarize } from "./summary.ts";
import type { Tool } from "./tools/tool.ts";
import { TooLong } from "./until.ts";
import { VoidRun, type Workload } from "./workload.ts";

/** What came of one workload. */
export type Outcome =
  | {
      readonly state: "measured";
      readonly workload: Workload;
      readonly summaries: readonly Summary[];
      /** Peers whose figures do not count: they are not among the summaries. */
      readonly voidPeers: readonly VoidPeer[];
    }
  /** `void`: what our own run restored was not what was written, or it did not get so far. `left out`: this machine cannot measure it. */
  | { readonly state: "void" | "left out"; readonly workload: Workload; readonly reason: string };

export interface VoidPeer {
  readonly tool: string;
  readonly reason: string;
}

/** Measures one workload with all tools that it can be measured with; the first one is ours. Errors: the reason of the signal. */
export async function measure(
  workload: Workload,
  tools: readonly Tool[],
  alternation: Omit<Alternation, "onVoidPeer">,
): Promise<Outcome> {
  const measures = measuresOn(workload, alternation.options, { hasProc: hasProc() });
  if (measures.length === 0) {
    return { state: "left out", workload, reason: "it is all read from /proc, which only Linux has" };
  }
  const voidPeers: VoidPeer[] = [];
  const compared = workload.compares ? tools : tools.slice(0, 1);
  try {
    const results = await runAlternating(workload, compared, {
      ...alternation,
      onVoidPeer: (tool, _, { message }) => voidPeers.push({ tool, reason: message.trim() }),
    });
    return { state: "measured", workload, summaries: summarize(measures, results), voidPeers };
  } catch (error) {
    if (!(error instanceof VoidRun || error instanceof TooLong)) throw error;
    return { state: "void", workload, reason: error.message.trim() };
  }
}
