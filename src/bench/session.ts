import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { type Arrivals, watchArrivals } from "./arrivals.ts";
import type { Child } from "./child.ts";
import type { BenchDatabase, BenchStorage, Job, Tool } from "./tools/tool.ts";
import { until } from "./until.ts";
import { type Bench, VoidRun } from "./workload.ts";
import type { Filled } from "./writer.ts";

const FIRST_COPY_LIMIT_MS = 600_000;
const DRAIN_LIMIT_MS = 120_000;
/** Restores that a proof runs at once. */
const PROOFS_AT_ONCE = 2;
const SMALL_BYTES = 1e6;

export interface DatabasesOptions {
  readonly count: number;
  readonly megabytes: number;
  /** Where their copies go; an empty folder of this run if not given. */
  readonly storage?: BenchStorage;
}

/** Databases with the same rows, closed, in a folder of their own. */
export async function makeDatabases(
  bench: Bench,
  options: DatabasesOptions,
): Promise<Filled & { readonly job: Job }> {
  const live = join(bench.scratch, "live");
  mkdirSync(live);
  const databases = Array.from({ length: options.count }, (_, index) => {
    return { name: `d${index}`, path: join(live, `d${index}.db`) };
  });
  const [first, ...others] = databases;
  if (first === undefined) throw new Error("no databases");
  const filled = await bench.writer.fill(first.path, options.megabytes);
  for (const other of others) copyFileSync(first.path, other.path);
  const storage = options.storage ?? folderStorage(bench);
  return { job: { databases, storage, scratch: bench.scratch }, ...filled };
}

/** An empty folder of this run. */
export function folderStorage(bench: Bench): Extract<BenchStorage, { kind: "folder" }> {
  const path = join(bench.scratch, "storage");
  mkdirSync(path);
  return { kind: "folder", path };
}

/** The folder behind the storage of a job that has one. */
export function storageFolder(job: Job): string {
  if (job.storage.kind !== "folder") throw new Error("not a folder");
  return job.storage.path;
}

/** The only database of a job. */
export function theOnly(job: Job): BenchDatabase {
  const [database] = job.databases;
  if (database === undefined || job.databases.length !== 1) throw new Error("not one database");
  return database;
}

/**
 * Starts the daemon on one database and returns when its first copy is durable.
 * @param arrivalsAt stamps what appears in storage below a prefix
 */
export async function watchOne(
  tool: Tool,
  job: Job,
  arrivalsAt = (prefix: string): Arrivals => watchArrivals(join(storageFolder(job), prefix)),
): Promise<{ readonly daemon: Child; readonly arrivals: Arrivals; readonly firstCopySeconds: number }> {
  const arrivals = arrivalsAt(tool.publications(job.storage.kind, theOnly(job)));
  const startNs = process.hrtime.bigint();
  const daemon = tool.watch(job);
  const first = await until(
    "the first copy",
    () => {
      assertRunning(tool, daemon);
      return arrivals.seen[0];
    },
    { limitMs: FIRST_COPY_LIMIT_MS, everyMs: 5 },
  );
  return { daemon, arrivals, firstCopySeconds: Number(first.atNs - startNs) / 1e9 };
}

/** Starts the daemon on many databases and returns when each has a first copy in a folder. */
export async function watchMany(tool: Tool, job: Job): Promise<Child> {
  const waiting = new Set(job.databases.map((database) => tool.publications(job.storage.kind, database)));
  const daemon = tool.watch(job);
  await until(
    `first copies of ${job.databases.length} databases`,
    () => {
      assertRunning(tool, daemon);
      for (const prefix of waiting) {
        if (namesIn(join(storageFolder(job), prefix)).some((name) => name.endsWith(".ltx")))
          waiting.delete(prefix);
      }
      return waiting.size === 0;
    },
    { limitMs: FIRST_COPY_LIMIT_MS, everyMs: 100 },
  );
  return daemon;
}

/** Asks the daemon to publish what is pending and end. */
export async function drain(tool: Tool, daemon: Child): Promise<void> {
  daemon.kill("SIGTERM");
  await until(`${tool.name} ends after SIGTERM`, () => !daemon.running(), { limitMs: DRAIN_LIMIT_MS });
  const exit = await daemon.exited;
  if (exit.code !== 0)
    throw new VoidRun(`${tool.name} ended with ${exit.code ?? exit.signal}: ${exit.stderr}`);
}

/**
 * The rule that makes a run count: every copy restores, passes integrity_check and equals the record row by row.
 * @param rows the number that all of them have, or that of each
 */
export async function prove(
  bench: Bench,
  tool: Tool,
  job: Job,
  rows: number | ReadonlyMap<BenchDatabase, number>,
): Promise<void> {
  const left = [...job.databases];
  const proven = new Set<string>();
  const proveNext = async (): Promise<void> => {
    // of its own, with one database in the configuration: reading hundreds takes longer than the restore
    const scratch = mkdtempSync(join(bench.scratch, "proof-"));
    for (let database = left.pop(); database !== undefined; database = left.pop()) {
      const out = join(scratch, `${database.name}.restored`);
      const exit = await tool.restore({ ...job, databases: [database], scratch }, database, out).exited;
      if (exit.code !== 0) throw new VoidRun(`${tool.name} cannot restore ${database.name}: ${exit.stderr}`);
      const expected = typeof rows === "number" ? rows : (rows.get(database) ?? 0);
      const bytes = sameBytes(out, expected);
      if (bytes !== undefined && proven.has(bytes)) continue;
      await bench.writer.check(out, expected);
      if (bytes !== undefined) proven.add(bytes);
    }
  };
  const proofs = await Promise.allSettled(Array.from({ length: PROOFS_AT_ONCE }, proveNext));
  for (const proof of proofs) if (proof.status === "rejected") throw proof.reason;
}

/**
 * The same for two small files only if they are equal byte by byte and are to hold the same rows: what was found in one of them holds of the other.
 * Of hundreds of idle databases one is read by SQLite, then, and the others are not.
 */
function sameBytes(path: string, rows: number): string | undefined {
  if (statSync(path).size > SMALL_BYTES || existsSync(`${path}-wal`)) return undefined;
  return `${rows} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`;
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Errors: VoidRun with what it said. */
export function assertRunning(tool: Tool, daemon: Child): void {
  if (!daemon.running()) throw new VoidRun(`${tool.name} ended by itself: ${daemon.stderr()}`);
}
