import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { judgedRun } from "../src/bench/judged-run.ts";
import { litestream } from "../src/bench/tools/litestream.ts";
import type { Tool } from "../src/bench/tools/tool.ts";
import { walrust } from "../src/bench/tools/walrust.ts";
import { type Bench, VoidRun, type Workload } from "../src/bench/workload.ts";
import { writerProcess } from "../src/bench/writer.ts";
import { parseArguments, USAGE, UsageError } from "./arguments.ts";
import { WORKLOADS } from "./compare/index.ts";
import { printKnobs, type Result, resultJson, resultTable } from "./report.ts";

/** `npm run bench -- S1 --runs 5`: returns the exit code. 1: a run is void, and nothing that it measured is printed. */
export async function main(
  args: readonly string[],
  where: { readonly projectFolder: string },
): Promise<number> {
  try {
    const request = parseArguments(args, { walrust: join(where.projectFolder, "dist", "cli.js") });
    if (request.kind === "help") {
      console.log(USAGE);
      return 0;
    }
    const workload = WORKLOADS.find((one) => one.id === request.id);
    if (workload === undefined) throw new UsageError(`no workload ${request.id}`);
    const all = [walrust(request.walrust), litestream(request.litestream)];
    const tools = all.filter(
      (tool) => tool.name === (request.only ?? (workload.compares ? tool.name : "walrust")),
    );
    const writer = writerProcess(join(where.projectFolder, "dist", "bench-writer.js"));
    if (!request.json) await printKnobs(workload, tools, request);
    const results = await runAlternating(workload, tools, request.runs, { options: request.options, writer });
    const measures = workload.measures(request.options);
    console.log(request.json ? resultJson(workload, measures, results) : resultTable(measures, results));
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\n\n${USAGE}`);
      return 2;
    }
    if (error instanceof VoidRun) {
      console.error(`void: ${error.message}`);
      return 1;
    }
    throw error;
  }
}

/** Tool by tool in every run, in turned order in every second one, so that a noisy minute meets both. */
async function runAlternating(
  workload: Workload,
  tools: readonly Tool[],
  runs: number,
  common: Pick<Bench, "options" | "writer">,
): Promise<Result[]> {
  const results = tools.map((tool): Result => ({ tool: tool.name, runs: [] }));
  const scratchRoot = mkdtempSync(join(realpathSync(tmpdir()), "walrust-bench-"));
  try {
    for (let run = 0; run < runs; run++) {
      const order = run % 2 === 0 ? tools : [...tools].reverse();
      for (const tool of order) {
        const scratch = join(scratchRoot, `${tool.name}-${run}`);
        mkdirSync(scratch);
        const values = await judgedRun(workload, tool, { ...common, run, scratch });
        rmSync(scratch, { recursive: true });
        results.find((result) => result.tool === tool.name)?.runs.push(values);
        const shown = Object.entries(values).map(([name, value]) => `${name} ${value.toFixed(2)}`);
        console.error(`run ${run + 1}/${runs} ${tool.name}: ${shown.join(", ")}`);
      }
    }
    return results;
  } finally {
    rmSync(scratchRoot, { recursive: true, force: true });
  }
}
