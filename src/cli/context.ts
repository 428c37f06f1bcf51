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
  readonly clock: Clock;
  /** The first SIGINT or SIGTERM: end soon, and in order. */
  readonly signal: AbortSignal;
}

export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };
