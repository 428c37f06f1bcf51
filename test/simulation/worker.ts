import { readFileSync } from "node:fs";
import { type Schedule, scheduleOf } from "./moves.ts";
import { programOf } from "./program.ts";
import { shrink } from "./shrink.ts";
import { ProcessDied } from "./simulated-process.ts";
import { type Outcome, simulate } from "./simulation.ts";

/** What a worker is asked: one line of JSON, its only argument. */
export type Task =
  /** Every `step`-th seed; ends with the first failure if `stopAtFailure`. */
  | {
      readonly kind: "seeds";
      readonly program: string;
      readonly from: number;
      readonly to: number;
      readonly step: number;
      readonly stopAtFailure: boolean;
    }
  /** One schedule, told line by line, and made as small as it can be if it fails. */
  | {
      readonly kind: "schedule";
      readonly program: string;
      readonly schedule: Schedule | number;
      readonly shrinks: boolean;
    };

/** What it answers, a line of JSON each. */
export type Answer =
  | { readonly kind: "passed"; readonly seed: number; readonly states: number; readonly announced: number }
  | { readonly kind: "failed"; readonly seed: number; readonly why: string; readonly message: string }
  | {
      readonly kind: "told";
      readonly schedule: Schedule;
      readonly story: readonly string[];
      readonly why: string | undefined;
      readonly message: string | undefined;
    };

const task = JSON.parse(process.argv[2] ?? "") as Task;
const load = programOf(readFileSync(task.program, "utf8"));
const answer = (line: Answer) => process.stdout.write(`${JSON.stringify(line)}\n`);

// It does not outlive whoever asked.
process.stdin.once("end", () => process.exit()).resume();

/** What nobody handles is a failure of the schedule in which it happens, but for what a killed process leaves. */
let unhandled: unknown;
process.on("unhandledRejection", (error) => {
  if (!(error instanceof ProcessDied)) unhandled ??= error;
});

async function played(
  schedule: Schedule,
): Promise<Outcome & { readonly why: string | undefined; readonly message: string | undefined }> {
  unhandled = undefined;
  const outcome = await simulate(load, schedule);
  const { failure } = outcome;
  if (failure === undefined && unhandled !== undefined)
    return { ...outcome, why: "unhandled rejection", message: String((unhandled as Error).stack) };
  return { ...outcome, why: failure?.kind, message: failure?.message };
}

if (task.kind === "seeds") {
  for (let seed = task.from; seed < task.to; seed += task.step) {
    const { why, message = "", states, announced } = await played(scheduleOf(seed));
    if (why === undefined) answer({ kind: "passed", seed, states, announced });
    else answer({ kind: "failed", seed, why, message });
    if (why !== undefined && task.stopAtFailure) break;
  }
} else {
  let schedule = typeof task.schedule === "number" ? scheduleOf(task.schedule) : task.schedule;
  const { why } = await played(schedule);
  if (why !== undefined && task.shrinks)
    schedule = await shrink(schedule, async (smaller) => (await played(smaller)).why === why);
  const { story, message, why: whyAtLast } = await played(schedule);
  answer({ kind: "told", schedule, story, why: whyAtLast, message });
}
process.stdin.destroy();
