import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { WalrustError } from "../errors.ts";
import { type CliContext, StopRequest } from "./context.ts";

/** A program that runs under `watch --exec`. */
export interface Application {
  /** Its exit code; 128 + the number of the signal that ended it, as shells have it. */
  readonly exited: Promise<number>;
  stop(): void;
}

/** The shell gets the group's signals as well, and must wait for how its commands take them. They do not inherit a trap that calls something. */
const OUTLIVE = "trap : INT TERM HUP\n";
/** A shell that has only just begun takes a signal before its command is there to get it: then it is sent once more. */
const BEGINNING_MS = 1000;

/**
 * Starts a command through the shell, with our terminal. Off a terminal it gets a process group of its own, so that a signal reaches what
 * the shell started too; on a terminal it stays in ours, where the keyboard's signals reach it without us.
 */
export function startApplication(command: string, context: CliContext): Application {
  const { stdin, env, cwd } = context;
  const onTerminal = stdin.isTTY === true;
  const script = onTerminal ? command : OUTLIVE + command;
  const child = spawn(script, { shell: true, stdio: "inherit", env, cwd, detached: !onTerminal });
  const { signal, clock } = context;
  const begunMs = clock.monotonicMs();
  let forget = () => {};
  const send = (name: NodeJS.Signals) => {
    sendSignal(child, name, onTerminal);
    const leftMs = begunMs + BEGINNING_MS - clock.monotonicMs();
    forget();
    if (leftMs > 0) forget = clock.schedule(leftMs, () => sendSignal(child, name, onTerminal));
  };
  const onStop = () => {
    const by =
      signal.reason instanceof StopRequest && signal.reason.by !== "parent" ? signal.reason.by : "SIGTERM";
    if (!(onTerminal && by === "SIGINT")) send(by);
  };
  signal.addEventListener("abort", onStop, { once: true });
  const exited = new Promise<number>((resolve, reject) => {
    child.on("error", (cause) => {
      reject(new WalrustError("USAGE", `--exec: ${JSON.stringify(command)} cannot be started`, { cause }));
    });
    child.on("exit", (code, by) => resolve(code ?? 128 + (by ? constants.signals[by] : 0)));
  });
  return {
    exited: exited.finally(() => {
      forget();
      signal.removeEventListener("abort", onStop);
    }),
    stop: () => send("SIGTERM"),
  };
}

function sendSignal(child: ChildProcess, name: NodeJS.Signals, onTerminal: boolean): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  if (onTerminal) child.kill(name);
  else process.kill(-child.pid, name);
}
