import { parseArgs } from "node:util";
import type { BenchOptions } from "../src/bench/workload.ts";
import { WORKLOADS } from "./compare/index.ts";

export class UsageError extends Error {
  override readonly name = "UsageError";
}

export type Request =
  | { readonly kind: "help" }
  | {
      readonly kind: "run";
      readonly id: string;
      readonly runs: number;
      readonly json: boolean;
      readonly walrust: string;
      readonly litestream: string;
      /** Only this tool: to try the harness. Such a run compares nothing. */
      readonly only: string | undefined;
      readonly options: BenchOptions;
    };

const DEFAULTS = {
  runs: "5",
  megabytes: "200",
  codecMegabytes: "64",
  seconds: "20",
  commits: "20",
  sizes: "1,10,100,500",
  databases: "500",
} as const;

export const USAGE = `usage: npm run bench -- WORKLOAD [options]

Measures walrust beside Litestream, in turn, and prints medians. A run counts only if everything restores and equals what was written.

workloads:
${WORKLOADS.map((workload) => `  ${workload.id}  ${workload.title}`).join("\n")}

options:
  --runs N           runs of each tool (${DEFAULTS.runs})
  --json             one JSON document with every run
  --walrust PATH     the program (dist/cli.js)
  --litestream PATH  the program (litestream, on PATH)
  --only TOOL        walrust or litestream alone
  --megabytes M      size of the large database of S1, R1, Q1 (${DEFAULTS.megabytes})
  --codec-megabytes M  size of the database of C1 (${DEFAULTS.codecMegabytes})
  --seconds S        length of L2 and I1 (${DEFAULTS.seconds})
  --commits N        lone commits of L1 (${DEFAULTS.commits})
  --sizes A,B,...    numbers of databases of M1 (${DEFAULTS.sizes})
  --databases N      number of databases of I1 (${DEFAULTS.databases})`;

export function parseArguments(args: readonly string[], defaults: { readonly walrust: string }): Request {
  const { values, positionals } = parse(args);
  if (values.help) return { kind: "help" };
  const [id, ...others] = positionals;
  if (id === undefined || others.length > 0) throw new UsageError("name one workload");
  if (values.only !== undefined && values.only !== "walrust" && values.only !== "litestream") {
    throw new UsageError(`--only walrust or litestream, not ${values.only}`);
  }
  return {
    kind: "run",
    id,
    runs: positive("--runs", values.runs),
    json: values.json,
    walrust: values.walrust ?? defaults.walrust,
    litestream: values.litestream,
    only: values.only,
    options: {
      megabytes: positive("--megabytes", values.megabytes),
      seconds: positive("--seconds", values.seconds),
      codecMegabytes: positive("--codec-megabytes", values["codec-megabytes"]),
      commits: positive("--commits", values.commits),
      sizes: values.sizes.split(",").map((size) => positive("--sizes", size)),
      databases: positive("--databases", values.databases),
    },
  };
}

function parse(args: readonly string[]) {
  const text = (fallback: string) => ({ type: "string", default: fallback }) as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h", default: false },
        json: { type: "boolean", default: false },
        walrust: { type: "string" },
        litestream: text("litestream"),
        only: { type: "string" },
        runs: text(DEFAULTS.runs),
        megabytes: text(DEFAULTS.megabytes),
        "codec-megabytes": text(DEFAULTS.codecMegabytes),
        seconds: text(DEFAULTS.seconds),
        commits: text(DEFAULTS.commits),
        sizes: text(DEFAULTS.sizes),
        databases: text(DEFAULTS.databases),
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new UsageError(`${flag} must be a number above 0, not ${text}`);
  return value;
}
