import { tmpdir } from "node:os";
import { runAlternating } from "../../src/bench/run-alternating.ts";
import { DEFAULT_OPTIONS } from "../../src/bench/workload.ts";
import type { Writer } from "../../src/bench/writer.ts";
import { formatTable } from "../../src/cli/table.ts";
import { figureText } from "../../src/cli/views/bench-table.ts";
import { type Contender, canMeasure } from "../contenders.ts";
import { CHECKS, type Verdict, verdictsOf } from "./limits.ts";

/** `npm run bench -- check`: a few minutes, for CI. 1: something got worse by a factor. Errors: VoidRun. */
export async function check(
  contenders: readonly Contender[],
  writer: Writer,
  tell: (line: string) => void,
): Promise<number> {
  const verdicts: Verdict[] = [];
  for (const { workload, runs, options, limits } of CHECKS) {
    const tools = contenders.map(({ tool }) => tool).filter((tool) => canMeasure(tool, workload));
    const begunMs = performance.now();
    const results = await runAlternating(workload, tools, {
      runs,
      options: { ...DEFAULT_OPTIONS, ...options },
      writer,
      folder: tmpdir(),
    });
    verdicts.push(...verdictsOf(limits, results));
    tell(`${workload.title}: ${Math.round((performance.now() - begunMs) / 1000)} s`);
  }
  tell(verdictTable(verdicts));
  return verdicts.every(({ holds }) => holds) ? 0 : 1;
}

function verdictTable(verdicts: readonly Verdict[]): string {
  const right = (title: string) => ({ title, align: "right" }) as const;
  const rows = verdicts.map(({ limit, found, median, holds }) => [
    limit.what,
    figureText(median),
    found.map(figureText).join(" "),
    `${limit.bound} ${figureText(limit.value)}${holds ? "" : ": FAILED"}`,
  ]);
  return formatTable([{ title: "" }, right("MEDIAN"), { title: "RUNS" }, { title: "LIMIT" }], rows);
}
