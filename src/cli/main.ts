#!/usr/bin/env node
import { closeSync, openSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { systemClock } from "../clock.ts";
import { type CliContext, StopRequest } from "./context.ts";

// Before anything else is loaded: they save an idle daemon 2 to 6 MB. A `#!` line with flags is not known to every env.
for (const flag of ["--optimize-for-size", "--max-semi-space-size=1"]) setFlagsFromString(flag);

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The first signal asks for an orderly end, the second one ends at once. */
function listenToSignals(hadTerminal: boolean): Pick<CliContext, "signal" | "onHangup"> {
  const controller = new AbortController();
  let onHangup: (() => void) | undefined;
  for (const [name, exitCode] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      if (name === "SIGHUP" && onHangup !== undefined && !(hadTerminal && isTerminalGone()))
        return onHangup();
      if (controller.signal.aborted) process.exit(exitCode);
      controller.abort(new StopRequest(name as keyof typeof SIGNALS));
    });
  }
  // The library starts us with a channel: when it closes, the program that wanted us is gone.
  process.on("disconnect", () => controller.abort(new StopRequest("parent")));
  return {
    signal: controller.signal,
    onHangup: (listener) => {
      onHangup = listener;
      return () => {
        onHangup = undefined;
      };
    },
  };
}

/** SIGHUP also says that the window was closed in which somebody ran us: then nobody wants us to go on. */
function isTerminalGone(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return false;
  } catch {
    return true;
  }
}

/** Who reads may go away (`walrust list | head -1`, a terminal that is closed): that ends the output, never the work. */
function ignoreBrokenPipe(output: NodeJS.WriteStream): void {
  output.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
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
  const context: CliContext = {
    stdin,
    stdout,
    stderr,
    env,
    colorDepth: 1,
    cwd: process.cwd(),
    version: WALRUST_VERSION,
    clock: systemClock,
    ...listenToSignals(stdin.isTTY),
  };
  const { run } = await import("./run.ts");
  const exitCode = await run(process.argv.slice(2), context);
  await Promise.all([flush(stdout), flush(stderr)]);
  process.exit(exitCode);
}

declare const WALRUST_VERSION: string; // by build/bundle.mjs

await main();
