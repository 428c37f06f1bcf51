import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { foundFolder, readSchedule } from "./found.ts";
import type { Schedule } from "./moves.ts";
import { MUTATIONS } from "./mutations.ts";
import { Workers } from "./workers.ts";

const USAGE = `usage: npm run simulate -- [--seeds N] [--from SEED]      play N schedules (1000)
       npm run simulate -- --seed SEED [--save NAME]       tell one, and if it fails the least that it takes; keep that as a test
       npm run simulate -- --file SCHEDULE.json            tell one that was kept
       ... --mutation ID                                   with a bug put in on purpose (test/simulation/mutations.ts)`;

/** Returns the exit code. */
export async function main(args: readonly string[], projectFolder: string): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "0" },
      seed: { type: "string" },
      file: { type: "string" },
      save: { type: "string" },
      mutation: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  const mutation = MUTATIONS.find(({ id }) => id === values.mutation);
  if (values.help || (values.mutation !== undefined && mutation === undefined)) {
    console.log(`${USAGE}\n\nmutations: ${MUTATIONS.map(({ id }) => id).join(", ")}`);
    return values.help ? 0 : 2;
  }
  const workers = await Workers.open(projectFolder, mutation);
  process.once("SIGINT", () => {
    workers.close();
    process.exit(130);
  });
  try {
    if (values.seed === undefined && values.file === undefined)
      return await playAll(workers, Number(values.from), Number(values.seeds));
    const schedule = values.seed === undefined ? readSchedule(values.file ?? "") : Number(values.seed);
    const least = await tell(workers, schedule);
    if (least !== undefined && values.save !== undefined) {
      const path = join(foundFolder(projectFolder), `${values.save}.json`);
      writeFileSync(path, `${JSON.stringify(least, undefined, 2)}\n`);
      console.log(`kept as ${path}`);
    }
    return least === undefined ? 0 : 1;
  } finally {
    workers.close();
  }
}

async function playAll(workers: Workers, from: number, seeds: number): Promise<number> {
  const startedMs = performance.now();
  const sum = { played: 0, states: 0, announced: 0 };
  const failures = await workers.play({ from, seeds, parallel: availableParallelism() }, (answer) => {
    sum.played += 1;
    if (answer.kind === "passed") {
      sum.states += answer.states;
      sum.announced += answer.announced;
    } else if (answer.kind === "failed") {
      const [line] = answer.message.split("\n", 1);
      console.log(`seed ${answer.seed}: ${answer.why}: ${line}\n  npm run simulate -- --seed ${answer.seed}`);
    }
    if (sum.played % 500 === 0) console.log(`${sum.played} schedules`);
  });
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  console.log(
    `${sum.played} schedules in ${seconds} s: ${sum.states} states of databases, ${sum.announced} restore points announced, ${failures.length} failed`,
  );
  return failures.length === 0 && sum.played === seeds ? 0 : 1;
}

/** Says what happens. Undefined: nothing is wrong; else the least that fails in the same way. */
async function tell(workers: Workers, schedule: Schedule | number) {
  for await (const answer of workers.ask({ kind: "schedule", schedule, shrinks: true })) {
    if (answer.kind !== "told") continue;
    console.log(answer.story.join("\n"));
    console.log(answer.why === undefined ? "nothing is wrong" : `${answer.why}: ${answer.message}`);
    return answer.why === undefined ? undefined : { found: answer.why, ...answer.schedule };
  }
  throw new Error("the worker told nothing");
}
