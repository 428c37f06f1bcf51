#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";
import { systemClock } from "../clock.ts";
import { type CliContext, StopRequest } from "./context.ts";

// Before anything else is loaded: they save an idle daemon 2 to 6 MB. A `#!` line with flags is not known to every env.
for (const flag of ["--optimize-for-size", "--max-semi-space-size=1"]) setFlagsFromString(flag);

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The first signal asks for an orderly end, the second one ends at once. */
function endOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const [name, exitCode] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitCode);
      controller.abort(new StopRequest(name as keyof typeof SIGNALS));
    });
  }
  // The library starts us with a channel: when it closes, the program that wanted us is gone.
  process.on("disconnect", () => controller.abort(new StopRequest("parent")));
  return controller.signal;
}

/** Who reads may go away (`walrust list | head -1`): that ends the output, never the work. */
function ignoreBrokenPipe(output: NodeJS.WriteStream): void {
  output.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

function flush(output: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    output.write("", () => resolve());
  });
}

async function main(): Promise<void> {
  const { stdin, stdout, stderr, env } = process;
  ignoreBrokenPipe(stdout);
  ignoreBrokenPipe(stderr);
  const signal = endOnSignals();
  const context: CliContext = {
    stdin,
    stdout,
    stderr,
    env,
    colorDepth: 1,
    cwd: process.cwd(),
    clock: systemClock,
    signal,
  };
  const { run } = await import("./run.ts");
  const exitCode = await run(process.argv.slice(2), context, WALRUST_VERSION);
  await Promise.all([flush(stdout), flush(stderr)]);
  process.exit(exitCode);
}

declare const WALRUST_VERSION: string; // by build/bundle.mjs

await main();
