import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Child } from "../../src/bench/child.ts";
import { until } from "../../src/bench/until.ts";
import type { Scene } from "../helpers/e2e/scene.ts";
import { startWalrust } from "../helpers/e2e/walrust.ts";

/** Before the operation, with half of what it writes, or when it is done and nobody knows yet. */
export type Moment = "before" | "half" | "after";

/** The n-th operation that fits; see die-at.mjs. */
export interface Death {
  readonly op: RegExp;
  /** Of the absolute path; of a request its method and path. */
  readonly path?: RegExp;
  readonly sql?: RegExp;
  /** Only what comes after SQL like this succeeded counts. */
  readonly since?: RegExp;
  readonly nth?: number;
  readonly when: Moment;
}

export interface Operation {
  readonly op: string;
  readonly path: string;
  readonly sql?: string;
}

export interface Run {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What happens beside the program while it lives. */
  readonly beside?: (child: Child) => Promise<void>;
}

/** Lines of stdout, and the operation it died of; undefined: it did all it had to, and there was no such operation. */
export interface Dead {
  readonly lines: readonly string[];
  readonly operation: Operation | undefined;
}

const LIMIT_MS = 120_000;
const PRELOAD = new URL("die-at.mjs", import.meta.url).href;

/** Runs the program until it dies of `death`, or ends with 0. */
export async function runUntilDeath(at: Scene, death: Death, run: Run): Promise<Dead> {
  const note = join(at.storage, "..", "died-of.json");
  const { op, path, sql, since, nth, when } = death;
  const where = { op: op.source, path: path?.source, sql: sql?.source, since: since?.source };
  const plan = { ...where, nth, when, note };
  const child = startPatched(at, plan, run);
  await run.beside?.(child);
  await until(`death ${when} ${op} ${path ?? ""}`, () => !child.running(), { limitMs: LIMIT_MS });
  const { code, signal, stderr } = await child.exited;
  if (!existsSync(note)) expect(code, `neither killed nor well: ${signal} ${stderr}`).toBe(0);
  else expect(signal, stderr).toBe("SIGKILL");
  const operation = existsSync(note) ? (JSON.parse(readFileSync(note, "utf8")) as Operation) : undefined;
  rmSync(note, { force: true });
  return { lines: child.lines, operation };
}

/** The operations of a run that nobody disturbs. */
export async function traceOf(at: Scene, run: Run): Promise<readonly Operation[]> {
  const trace = join(at.storage, "..", "trace.jsonl");
  const child = startPatched(at, { trace }, run);
  await run.beside?.(child);
  const { code, stderr } = await child.exited;
  expect(code, stderr).toBe(0);
  const lines = readFileSync(trace, "utf8").trim().split("\n");
  rmSync(trace);
  return lines.map((line) => JSON.parse(line) as Operation);
}

function startPatched(at: Scene, plan: object, { args, env }: Run): Child {
  const death = { NODE_OPTIONS: `--import=${PRELOAD}`, WALRUST_DEATH: JSON.stringify(plan) };
  return startWalrust(at, args, { env: { ...env, ...death } });
}
