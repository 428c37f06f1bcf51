import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { isErrorCode, WalrustError } from "../errors.ts";
import { parse } from "../json.ts";

/** dist/cli.js: this module is bundled into dist/index.js, beside it. */
const PROGRAM = fileURLToPath(new URL("./cli.js", import.meta.url));

export interface ProgramOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Each line of stdout, parsed; integers beyond 2^53 as bigint. An error document is not among them. */
  readonly onDocument: (document: Document) => void;
}

export type Document = Readonly<Record<string, unknown>>;

export interface RunningProgram {
  readonly pid: number | undefined;
  /** Asks for an orderly end. */
  stop(): void;
  /** How it ended: without an error, or with the one that it told. */
  readonly ended: Promise<WalrustError | undefined>;
}

/**
 * Runs `walrust ARGS --json` as a child process. Live databases are touched by a process of its own only: POSIX locks belong to a process, and
 * in the application's own one we would drop those of its SQLite (capture.md). When this process dies, the channel closes and the child ends.
 */
export function startProgram(args: readonly string[], { env, onDocument }: ProgramOptions): RunningProgram {
  const child = spawn(process.execPath, [PROGRAM, ...args, "--json"], {
    env,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let told: WalrustError | undefined;
  let errorText = "";
  const onLine = (line: string) => {
    const document = documentIn(line);
    if (document === undefined) return; // cut off when the program was killed: `ended` says so
    const error = "type" in document ? undefined : toldError(document["error"]);
    if (error) told = error;
    else onDocument(document);
  };
  if (child.stdout) createInterface({ input: child.stdout }).on("line", onLine);
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errorText = (errorText + text).slice(-2000);
  });
  const ended = new Promise<WalrustError | undefined>((resolve) => {
    child.on("error", (cause) =>
      resolve(new WalrustError("INTERNAL", "the program cannot be started", { cause })),
    );
    child.on("close", (code, signal) => {
      const unexpected = () =>
        new WalrustError("INTERNAL", `the program ended with ${code ?? signal}: ${errorText.trim()}`);
      resolve(code === 0 ? undefined : (told ?? unexpected()));
    });
  });
  return { pid: child.pid, stop: () => void child.kill("SIGTERM"), ended };
}

/** Undefined for what is no whole document. */
function documentIn(line: string): Document | undefined {
  try {
    const value = parse(line);
    return typeof value === "object" && value !== null ? (value as Document) : undefined;
  } catch {
    return undefined;
  }
}

/** The error of an error document, as it was thrown there. */
function toldError(value: unknown): WalrustError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { code, message, hint, details } = value as Document;
  return new WalrustError(isErrorCode(code) ? code : "INTERNAL", String(message), {
    ...(typeof hint === "string" ? { hint } : {}),
    details: details as WalrustError["details"],
  });
}

/** Settings go to the program in a file of our own: nothing of them is seen in a list of processes. */
export async function withConfigFile<T>(toml: string, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), "walrust-"));
  try {
    const file = path.join(folder, "walrust.toml");
    await writeFile(file, toml, { mode: 0o600 });
    return await use(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
