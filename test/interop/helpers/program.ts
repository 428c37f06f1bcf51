import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NoHope, until } from "../../../src/bench/until.ts";

export interface RunningProgram {
  readonly folder: string;
  close(): Promise<void>;
}

/** The program that a variable of the environment names. A test without its program is a failed test. */
export function programFrom(variable: string): string {
  const path = process.env[variable];
  if (!path) throw new Error(`set ${variable} to the path of the program`);
  return path;
}

/** Starts a server with a folder of its own, and waits until `healthUrl` answers 200. */
export async function startProgram(
  path: string,
  argumentsIn: (folder: string) => Promise<readonly string[]>,
  options: { readonly healthUrl: string; readonly env: Readonly<Record<string, string>> },
): Promise<RunningProgram> {
  const folder = await mkdtemp(join(tmpdir(), "walrust-interop-"));
  const child = spawn(path, await argumentsIn(folder), {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = tailOf(child);
  try {
    const answers = async () => {
      if (child.exitCode !== null) throw new NoHope(`${path} ended:\n${output()}`);
      const answer = await fetch(options.healthUrl);
      if (!answer.ok) throw new Error(`${path} is not ready: ${answer.status}\n${output()}`);
      return true;
    };
    await until(`${path} answers`, answers, { limitMs: 30_000, everyMs: 50 });
  } catch (error) {
    await stop(child, folder);
    throw error;
  }
  return { folder, close: () => stop(child, folder) };
}

/** The first of `count` ports in a row that are free, with the ports 10,000 above them. */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const first = 20_000 + Math.floor(Math.random() * 20_000);
    const ports = Array.from({ length: count }, (_, i) => [first + i, first + i + 10_000]).flat();
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first;
  }
  throw new Error("no free ports");
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

function tailOf(child: ChildProcess): () => string {
  let tail = "";
  const append = (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-4000);
  };
  child.stdout?.on("data", append);
  child.stderr?.on("data", append);
  return () => tail;
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
}
