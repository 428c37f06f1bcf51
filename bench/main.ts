import { join } from "node:path";
import { thisMachine } from "../src/bench/machine.ts";
import { TooLong } from "../src/bench/until.ts";
import { VoidRun } from "../src/bench/workload.ts";
import { type Writer, writerProcess } from "../src/bench/writer.ts";
import { type Programs, parseArguments, type Request, USAGE, UsageError } from "./arguments.ts";
import { check } from "./check/check.ts";
import { canMeasure, contendersOf } from "./contenders.ts";
import { estimateText } from "./estimate.ts";
import { measureForPage } from "./measure.ts";
import { placesIn, writePage } from "./page/write-page.ts";
import { outcomeText, planText } from "./report.ts";
import { readResults, saveResult } from "./saved-result.ts";

/**
 * `npm run bench -- S1 --runs 5`: returns the exit code. 1: a run of ours is void, and nothing that its workload measured is printed or kept.
 */
export async function main(
  args: readonly string[],
  where: { readonly projectFolder: string },
): Promise<number> {
  try {
    const request = parseArguments(args, { walrust: join(where.projectFolder, "dist", "cli.js") });
    if (request.kind === "help") console.log(USAGE);
    if (request.kind === "page") writePage(where.projectFolder);
    if (request.kind === "check") return await checkAll(request, where.projectFolder);
    return request.kind === "run" ? await runAll(request, where.projectFolder) : 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    return 2;
  }
}

/** Ours ends it when it is void, and so does the peer: there is nothing to compare with. */
async function checkAll(programs: Programs, projectFolder: string): Promise<number> {
  try {
    const contenders = await contendersOf({ ...programs, rustWalrust: undefined }, projectFolder);
    return await check(contenders, writerOf(projectFolder), (line) => console.log(line));
  } catch (error) {
    if (!(error instanceof VoidRun || error instanceof TooLong)) throw error;
    console.error(`void: ${error.message}`);
    return 1;
  }
}

function writerOf(projectFolder: string): Writer {
  return writerProcess(join(projectFolder, "dist", "bench-writer.js"));
}

type RunRequest = Extract<Request, { kind: "run" }>;

async function runAll(request: RunRequest, projectFolder: string): Promise<number> {
  const { workloads, runs, options, json, save, flags } = request;
  const contenders = await contendersOf(request, projectFolder);
  const writer = writerOf(projectFolder);
  const { results: folder } = placesIn(projectFolder);
  if (save) console.log(estimateText(workloads, runs, readResults(folder)));
  let code = 0;
  for (const workload of workloads) {
    const taking = contenders.filter(({ tool }) => canMeasure(tool, workload));
    if (!json) console.log(planText(workload, taking, { runs, options, machine: thisMachine() }));
    const command = ["npm run bench --", workload.id, ...(flags === "" ? [] : [flags])].join(" ");
    const measured = await measureForPage(workload, taking, {
      ...{ runs, options, writer, command },
      tell: (line) => console.error(line),
    });
    if (!("result" in measured)) {
      console.error(outcomeText(measured.outcome));
      if (measured.outcome.state === "void") code = 1;
      continue;
    }
    console.log(json ? JSON.stringify(measured.result, undefined, 2) : outcomeText(measured.outcome));
    if (save) {
      saveResult(folder, measured.result);
      writePage(projectFolder);
    }
  }
  return code;
}
