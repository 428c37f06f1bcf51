#!/usr/bin/env node
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { systemClock } from "../clock.ts";
import { type CliContext, StopRequest } from "./context.ts";

// Before anything else is loaded: they save an idle daemon 4 to 8 MB. A `#!` line with flags is not known to every env, and --max-semi-space-size
// comes too late here: the young generation stays as small as it begins. Without sparkplug, its quick compiler, V8 compiles less that hardly runs: a
// short command takes a tenth less of a processor, and a daemon under load no more, unless commits come by the thousand (engine.ts).
for (const flag of ["--optimize-for-size", "--semi-space-growth-factor=1", "--no-sparkplug"]) {
  setFlagsFromString(flag);
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

interface Signals extends Pick<CliContext, "signal" | "onHangup"> {
  /** The command has begun, and takes SIGHUP if it ever does. */
  readonly begun: () => void;
}

/** The first signal asks for an orderly end, the second one ends at once. What SIGHUP asks for, the command says as soon as it is known. */
function listenToSignals(hadTerminal: boolean): Signals {
  const controller = new AbortController();
  let onHangup: (() => void) | undefined;
  let hasBegun = false;
  let isHungUp = false;
  const stop = (name: keyof typeof SIGNALS) => {
    if (controller.signal.aborted) process.exit(SIGNALS[name]);
    controller.abort(new StopRequest(name));
  };
  process.on("SIGHUP", () => {
    if (hadTerminal && isTerminalGone()) stop("SIGHUP");
    else if (onHangup !== undefined) onHangup();
    else if (hasBegun) stop("SIGHUP");
    else isHungUp = true;
  });
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => stop(name));
  // The library starts us with a channel: when it closes, the program that wanted us is gone.
  process.on("disconnect", () => controller.abort(new StopRequest("parent")));
  return {
    signal: controller.signal,
    onHangup: (listener) => {
      onHangup = listener;
      if (isHungUp) listener();
    },
    begun: () => {
      hasBegun = true;
      if (isHungUp && onHangup === undefined) stop("SIGHUP");
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
  const { begun, ...signals } = listenToSignals(stdin.isTTY);
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
    program: fileURLToPath(import.meta.url),
    clock: systemClock,
    setEngineFlag: setFlagsFromString,
    ...signals,
  };
  const { run } = await import("./run.ts");
  const running = run(process.argv.slice(2), context);
  begun();
  const exitCode = await running;
  await Promise.all([flush(stdout), flush(stderr)]);
  process.exit(exitCode);
}

declare const WALRUST_VERSION: string; // by build/bundle.mjs

await main();
