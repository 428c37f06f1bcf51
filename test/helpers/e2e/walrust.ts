import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import { type Child, type Exit, spawnChild } from "../../../src/bench/child.ts";
import { NoHope, type UntilOptions, until } from "../../../src/bench/until.ts";
import type { Scene } from "./scene.ts";
import { headTxid } from "./storage-folder.ts";

/** The program as it is shipped. */
const PROGRAM = fileURLToPath(new URL("../../../dist/cli.js", import.meta.url));

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Programs and arguments that start Node for us: a limit on file sizes, for example. */
  readonly under?: readonly string[];
}

/** Starts the program in the scene's folder, without configuration, credentials or proxies of the machine. */
export function startWalrust(at: Scene, args: readonly string[], options: RunOptions = {}): Child {
  const command = [...(options.under ?? []), process.execPath, PROGRAM, ...args];
  const child = spawnChild(command[0] ?? process.execPath, command.slice(1), {
    cwd: at.folder,
    env: { HOME: at.folder, TMPDIR: at.folder, ...options.env },
  });
  onTestFinished(() => child.kill("SIGKILL"));
  return child;
}

export function runWalrust(at: Scene, args: readonly string[], options?: RunOptions): Promise<Exit> {
  return startWalrust(at, args, options).exited;
}

/** One line of `watch --json`. */
export interface EventLine {
  readonly type: string;
  readonly database?: string;
  readonly [field: string]: unknown;
}

export interface Watch {
  readonly child: Child;
  events(type?: string): EventLine[];
  /** Waits for an event; those that came before count too, unless `after` names how many to pass over. */
  untilEvent(type: string, options?: UntilEvent): Promise<EventLine>;
  /** Waits until storage has a file of the database that ends above `txid`, and returns the new head. */
  untilPublished(name: string, txid?: bigint, options?: UntilOptions): Promise<bigint>;
  /** SIGTERM: publishes what is pending and ends; the test fails unless it ends with 0. */
  drain(): Promise<void>;
  /** SIGKILL, in the middle of whatever it does. */
  kill(): Promise<void>;
}

export interface UntilEvent {
  readonly matching?: (event: EventLine) => boolean;
  readonly limitMs?: number;
}

export interface WatchOptions extends RunOptions {
  readonly databases?: readonly string[];
  readonly args?: readonly string[];
  /** Where to; the scene's folder if not given. */
  readonly address?: string;
  /** Metrics at a free port: `metricsOf` finds it. */
  readonly metrics?: boolean;
  /** Short, so that tests are. */
  readonly syncInterval?: string;
}

/** The daemon gives up a drain after 30 s. */
const DRAIN_LIMIT_MS = 45_000;

/** Starts the daemon. Most callers then wait until something is published. */
export function startWatch(at: Scene, options: WatchOptions = {}): Watch {
  const child = startWalrust(at, watchArguments(at, options), options);
  const events = (type?: string) => {
    const all = child.lines
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as EventLine);
    return type === undefined ? all : all.filter((event) => event.type === type);
  };
  return {
    child,
    events,
    untilEvent: (type, { matching = () => true, ...limit } = {}) =>
      until(
        `event ${type}`,
        () => {
          const found = events(type).find(matching);
          if (found === undefined) assertRunning(child);
          return found;
        },
        limit,
      ),
    untilPublished: (name, txid = 0n, options = {}) =>
      until(
        `${name} published above ${txid}`,
        () => {
          const head = headTxid(at, name);
          if (head <= txid) assertRunning(child);
          return head > txid && head;
        },
        options,
      ),
    drain: async () => {
      child.kill("SIGTERM");
      await until("the daemon ends after SIGTERM", () => !child.running(), { limitMs: DRAIN_LIMIT_MS }).catch(
        (cause: unknown) => {
          const last = child.lines.slice(-20).join("\n");
          throw new Error(`the daemon does not end; it said: ${child.stderr()}\n${last}`, { cause });
        },
      );
      const exit = await child.exited;
      expect(exit.code, `exit code after SIGTERM; it said: ${exit.stderr}`).toBe(0);
    },
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Ends the wait for something that a daemon no longer does. */
function assertRunning(child: Child): void {
  if (!child.running()) throw new NoHope(`the daemon ended: ${child.stderr()}`);
}

/** `watch --once`: the test fails unless it ends with 0. */
export async function syncOnce(at: Scene, options: WatchOptions = {}): Promise<Exit> {
  const exit = await runWalrust(at, [...watchArguments(at, options), "--once"], options);
  expect(exit.code, `watch --once said: ${exit.stderr}`).toBe(0);
  return exit;
}

function watchArguments(at: Scene, options: WatchOptions): string[] {
  const common = [
    "--bucket",
    options.address ?? at.address,
    "--wal-sync-interval",
    options.syncInterval ?? "100ms",
  ];
  return [
    "watch",
    ...(options.databases ?? []),
    ...common,
    ...(options.metrics === true ? ["--metrics-port", "0"] : ["--no-metrics"]),
    "--json",
    ...(options.args ?? []),
  ];
}

/** The address at which a watch with metrics says that it serves them. */
export function metricsOf({ child }: Watch): Promise<string> {
  return until("metrics are served", () => /status page: (http:\S+?)\/\s/.exec(child.stderr())?.[1]);
}

let outputs = 0;

/** Restores to a new file and returns its path; the test fails unless the program ends with 0. */
export async function restored(at: Scene, name: string, args: readonly string[] = []): Promise<string> {
  const out = at.path(`restored-${++outputs}.db`);
  const exit = await restore(at, name, out, args);
  expect(exit.code, `restore said: ${exit.stderr}`).toBe(0);
  expect(existsSync(out)).toBe(true);
  return out;
}

export function restore(at: Scene, name: string, out: string, args: readonly string[] = []): Promise<Exit> {
  const bucket = args.includes("--bucket") ? [] : ["--bucket", at.address];
  return runWalrust(at, ["restore", name, "-o", out, ...bucket, ...args]);
}
