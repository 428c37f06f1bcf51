import { parseArgs } from "node:util";
import { type BenchOptions, DEFAULT_OPTIONS, type Workload } from "../src/bench/workload.ts";
import { WORKLOADS } from "./compare/index.ts";

export class UsageError extends Error {
  override readonly name = "UsageError";
}

export type Request =
  | { readonly kind: "help" }
  /** The page alone, of what was measured before. */
  | { readonly kind: "page" }
  /** The short comparison of CI. */
  | ({ readonly kind: "check" } & Programs)
  | ({
      readonly kind: "run";
      readonly workloads: readonly Workload[];
      readonly runs: number;
      readonly json: boolean;
      /** Results go into bench/results, and the page is made anew. */
      readonly save: boolean;
      /** The flags that were given and change what is measured: they belong to the command that makes a result again. */
      readonly flags: string;
      readonly options: BenchOptions;
    } & Programs);

export interface Programs {
  readonly walrust: string;
  readonly litestream: string;
  readonly rustWalrust: string | undefined;
  /** Only this tool: to try the harness. Such a run compares nothing. */
  readonly only: string | undefined;
}

const DEFAULTS = {
  runs: "5",
  megabytes: String(DEFAULT_OPTIONS.megabytes),
  codecMegabytes: String(DEFAULT_OPTIONS.codecMegabytes),
  seconds: String(DEFAULT_OPTIONS.seconds),
  commits: String(DEFAULT_OPTIONS.commits),
  sizes: DEFAULT_OPTIONS.sizes.join(),
  databases: String(DEFAULT_OPTIONS.databases),
  increments: DEFAULT_OPTIONS.increments.join(),
  largeMegabytes: DEFAULT_OPTIONS.largeMegabytes.join(),
  giantMegabytes: String(DEFAULT_OPTIONS.giantMegabytes),
  outageSeconds: String(DEFAULT_OPTIONS.outageSeconds),
  awaySeconds: String(DEFAULT_OPTIONS.awaySeconds),
  checkpoints: String(DEFAULT_OPTIONS.checkpoints),
  fewerDatabases: String(DEFAULT_OPTIONS.fewerDatabases),
  rate: String(DEFAULT_OPTIONS.rate),
  calmRate: String(DEFAULT_OPTIONS.calmRate),
  busyRate: String(DEFAULT_OPTIONS.busyRate),
  busySeconds: String(DEFAULT_OPTIONS.busySeconds),
  parkedDatabases: String(DEFAULT_OPTIONS.parkedDatabases),
} as const;

/** Where things are, and what becomes of the results: nothing that a result depends on. */
const FLAGS_OF_THIS_MACHINE = ["json", "save", "only", "walrust", "litestream", "rust-walrust", "weed"];

export const USAGE = `usage: npm run bench -- WORKLOAD... [options]
       npm run bench -- all [options]    every workload, kept in bench/results, and the page made of them
       npm run bench -- page             the page alone: docs/benchmarks.md, and the table of README.md
       npm run bench -- check            a short comparison for CI: ends with 1 if something got worse by a factor

Measures walrust beside Litestream, in turn, and prints medians. A run counts only if everything restores and equals what was written.

workloads:
${WORKLOADS.map((workload) => `  ${workload.id}  ${workload.title}`).join("\n")}

options:
  --runs N           runs of each tool (${DEFAULTS.runs})
  --save             keeps the results in bench/results, and makes the page anew
  --json             one JSON document with every run, of one workload
  --walrust PATH     the program (dist/cli.js)
  --litestream PATH  the program (litestream, on PATH)
  --rust-walrust PATH  the program of walrust 0.7 in Rust (not measured without it)
  --only TOOL        walrust or litestream alone
  --megabytes M      size of the large database of S1, R1, Q1 (${DEFAULTS.megabytes})
  --codec-megabytes M  size of the database of C1 (${DEFAULTS.codecMegabytes})
  --seconds S        length of L2, L1-many, M2, T1, I1 and M4 (${DEFAULTS.seconds})
  --commits N        lone commits of L1 (${DEFAULTS.commits})
  --sizes A,B,...    numbers of databases of M1 (${DEFAULTS.sizes})
  --databases N      number of databases of I1, U1, M2 and T1 (${DEFAULTS.databases})
  --weed PATH        the program of SeaweedFS, for S1-S3 and R1-S3 (WALRUST_WEED)
  --increments A,B,...  numbers of incrementals of R1-increments (${DEFAULTS.increments})
  --large-megabytes A,B,...  sizes of the databases of M3 (${DEFAULTS.largeMegabytes})
  --giant-megabytes M  M3's large transaction, and L3's large database (${DEFAULTS.giantMegabytes})
  --outage-seconds S  how long storage is away in M3 (${DEFAULTS.outageSeconds})
  --away-seconds S   how long storage is away in L5 (${DEFAULTS.awaySeconds})
  --checkpoints N    the application's own checkpoints of L4 (${DEFAULTS.checkpoints})
  --fewer-databases N  databases of L1-many and L3, and the smaller number of M2 (${DEFAULTS.fewerDatabases})
  --rate N           commits a second over all databases of M2 and T1 (${DEFAULTS.rate})
  --calm-rate N      the same of L1-many and L3 (${DEFAULTS.calmRate})
  --busy-rate N      commits a second and database of T1's second part (${DEFAULTS.busyRate})
  --busy-seconds S   length of T1's second part (${DEFAULTS.busySeconds})
  --parked-databases N  databases of M4 (${DEFAULTS.parkedDatabases})`;

export function parseArguments(args: readonly string[], defaults: { readonly walrust: string }): Request {
  const { values, positionals, tokens } = parse(args);
  if (values.help) return { kind: "help" };
  if (positionals.join() === "page") return { kind: "page" };
  const programs: Programs = {
    walrust: values.walrust ?? defaults.walrust,
    litestream: values.litestream,
    rustWalrust: values["rust-walrust"],
    only: values.only,
  };
  if (positionals.join() === "check") return { kind: "check", ...programs };
  const isAll = positionals.join() === "all";
  const workloads = isAll ? WORKLOADS : positionals.map(workloadNamed);
  const [first] = workloads;
  if (first === undefined) throw new UsageError("name a workload, all, or page");
  if (values.json && workloads.length > 1) throw new UsageError("--json is for one workload");
  if (values.only !== undefined && values.only !== "walrust" && values.only !== "litestream") {
    throw new UsageError(`--only walrust or litestream, not ${values.only}`);
  }
  const save = values.save || isAll;
  if (save && values.only !== undefined) throw new UsageError("--only compares nothing: nothing to save");
  const flags = tokens.flatMap((token) =>
    token.kind === "option" && !FLAGS_OF_THIS_MACHINE.includes(token.name)
      ? [`--${token.name} ${token.value}`]
      : [],
  );
  return {
    kind: "run",
    workloads,
    runs: positive("--runs", values.runs),
    json: values.json,
    save,
    flags: flags.join(" "),
    ...programs,
    options: {
      megabytes: positive("--megabytes", values.megabytes),
      seconds: positive("--seconds", values.seconds),
      codecMegabytes: positive("--codec-megabytes", values["codec-megabytes"]),
      commits: positive("--commits", values.commits),
      sizes: positives("--sizes", values.sizes),
      databases: positive("--databases", values.databases),
      weed: values.weed ?? process.env["WALRUST_WEED"],
      increments: positives("--increments", values.increments),
      largeMegabytes: positives("--large-megabytes", values["large-megabytes"]),
      giantMegabytes: positive("--giant-megabytes", values["giant-megabytes"]),
      outageSeconds: positive("--outage-seconds", values["outage-seconds"]),
      awaySeconds: positive("--away-seconds", values["away-seconds"]),
      checkpoints: positive("--checkpoints", values.checkpoints),
      fewerDatabases: positive("--fewer-databases", values["fewer-databases"]),
      rate: positive("--rate", values.rate),
      calmRate: positive("--calm-rate", values["calm-rate"]),
      busyRate: positive("--busy-rate", values["busy-rate"]),
      busySeconds: positive("--busy-seconds", values["busy-seconds"]),
      parkedDatabases: positive("--parked-databases", values["parked-databases"]),
    },
  };
}

function workloadNamed(id: string): Workload {
  const workload = WORKLOADS.find((one) => one.id === id);
  if (workload === undefined) throw new UsageError(`no workload ${id}`);
  return workload;
}

function parse(args: readonly string[]) {
  const text = (fallback: string) => ({ type: "string", default: fallback }) as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      tokens: true,
      options: {
        help: { type: "boolean", short: "h", default: false },
        json: { type: "boolean", default: false },
        save: { type: "boolean", default: false },
        walrust: { type: "string" },
        litestream: text("litestream"),
        "rust-walrust": { type: "string" },
        only: { type: "string" },
        runs: text(DEFAULTS.runs),
        megabytes: text(DEFAULTS.megabytes),
        "codec-megabytes": text(DEFAULTS.codecMegabytes),
        seconds: text(DEFAULTS.seconds),
        commits: text(DEFAULTS.commits),
        sizes: text(DEFAULTS.sizes),
        databases: text(DEFAULTS.databases),
        weed: { type: "string" },
        increments: text(DEFAULTS.increments),
        "large-megabytes": text(DEFAULTS.largeMegabytes),
        "giant-megabytes": text(DEFAULTS.giantMegabytes),
        "outage-seconds": text(DEFAULTS.outageSeconds),
        "away-seconds": text(DEFAULTS.awaySeconds),
        checkpoints: text(DEFAULTS.checkpoints),
        "fewer-databases": text(DEFAULTS.fewerDatabases),
        rate: text(DEFAULTS.rate),
        "calm-rate": text(DEFAULTS.calmRate),
        "busy-rate": text(DEFAULTS.busyRate),
        "busy-seconds": text(DEFAULTS.busySeconds),
        "parked-databases": text(DEFAULTS.parkedDatabases),
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function positives(flag: string, text: string): number[] {
  return text.split(",").map((part) => positive(flag, part));
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new UsageError(`${flag} must be a number above 0, not ${text}`);
  return value;
}
