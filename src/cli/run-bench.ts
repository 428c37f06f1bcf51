import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { measure, type Outcome } from "../bench/outcome.ts";
import { findLitestream } from "../bench/tools/litestream.ts";
import type { Tool } from "../bench/tools/tool.ts";
import { walrust } from "../bench/tools/walrust.ts";
import { writerProcess } from "../bench/writer.ts";
import { foldersOfTheDead, makeMarkedFolder } from "../restore/marked-folder.ts";
import type { BenchRequest } from "./bench-request.ts";
import type { CliContext } from "./context.ts";
import { startSteps } from "./steps.ts";

const SCRATCH_PREFIX = "walrust-bench-";
const REMOVAL = { recursive: true, force: true } as const;

export interface BenchTools {
  /** The first one is ours. */
  readonly tools: readonly Tool[];
  readonly versions: readonly { readonly name: string; readonly version: string }[];
}

/** @param against the peer's program; errors: USAGE if it cannot be measured */
export async function benchTools(
  { program, version, cwd }: CliContext,
  against: string | undefined,
): Promise<BenchTools> {
  const own = { name: "walrust", version };
  if (against === undefined) return { tools: [walrust(program)], versions: [own] };
  const peer = await findLitestream(programPath(against, cwd));
  const versions = [own, { name: peer.name, version: await peer.version() }];
  return { tools: [walrust(program), peer], versions };
}

/** Looked up on PATH by its name, and in `cwd` by its path, as a shell does. */
function programPath(program: string, cwd: string): string {
  return program.includes(path.sep) ? path.resolve(cwd, program) : program;
}

export interface BenchWork extends BenchRequest {
  readonly tools: readonly Tool[];
  /** Where the databases and their copies lie while they are measured. */
  readonly scratch: string;
  readonly showsProgress: boolean;
  readonly onOutcome: (outcome: Outcome) => void;
}

/** Where files go if nobody says. */
export function benchFolder({ cwd }: CliContext, folder: string | undefined): string {
  return folder === undefined ? tmpdir() : path.resolve(cwd, folder);
}

/** A folder below `parent` that is gone after the work. Errors: LOCAL_IO, LOCAL_DISK_FULL. */
export async function inScratchFolder<T>(parent: string, work: (scratch: string) => Promise<T>): Promise<T> {
  for (const dead of foldersOfTheDead(parent, SCRATCH_PREFIX)) rmSync(dead, REMOVAL);
  const scratch = makeMarkedFolder(parent, SCRATCH_PREFIX);
  try {
    return await work(scratch);
  } finally {
    rmSync(scratch, REMOVAL);
  }
}

/** Measures one workload after the other. What is void does not stop the others. Errors: the reason of the context's signal. */
export async function runBench(context: CliContext, work: BenchWork): Promise<readonly Outcome[]> {
  const { workloads, runs, options, tools, scratch } = work;
  const { program, signal } = context;
  const writer = writerProcess(path.join(path.dirname(program), "bench-writer.js"));
  const outcomes: Outcome[] = [];
  for (const workload of workloads) {
    const total = runs * (workload.compares ? tools.length : 1);
    const steps = work.showsProgress ? startSteps(context, `measuring ${workload.name}`, total) : undefined;
    const outcome = await measure(workload, tools, {
      ...{ runs, options, writer, folder: scratch, signal },
      onRun: (tool, run) => steps?.begin(`run ${run + 1} of ${runs}, ${tool}`),
    }).finally(() => steps?.stop());
    outcomes.push(outcome);
    work.onOutcome(outcome);
  }
  return outcomes;
}
