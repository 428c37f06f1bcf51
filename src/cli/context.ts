import type { Writable } from "node:stream";
import type { Clock } from "../clock.ts";
import type { Environment } from "../config/environment.ts";

/** The world of a command, injected: nothing below touches `process`. */
export interface CliContext {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv & Environment;
  /** Clipanion's own measure of colour; ours is `colors` of output.ts. */
  readonly colorDepth: number;
  readonly cwd: string;
  /** Of walrust. */
  readonly version: string;
  /** Path of the program itself, dist/cli.js. */
  readonly program: string;
  readonly clock: Clock;
  /** The first SIGINT or SIGTERM: end soon, and in order. */
  readonly signal: AbortSignal;
  /** Sets a flag of V8, `--name=value`. */
  setEngineFlag(flag: string): void;
  /** SIGHUP ends the program like SIGTERM, unless a command takes it for something else, before it awaits anything. */
  onHangup(listener: () => void): void;
}

/** Why `signal` was aborted. Its name makes whoever is interrupted by it end as ABORTED. */
export class StopRequest extends Error {
  override readonly name = "AbortError";
  readonly by: NodeJS.Signals | "parent";

  constructor(by: NodeJS.Signals | "parent") {
    super(`stopped by ${by}`);
    this.by = by;
  }
}

export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };
