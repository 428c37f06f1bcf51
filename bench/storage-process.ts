import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { BenchStorage } from "../src/bench/tools/tool.ts";
import { VoidRun } from "../src/bench/workload.ts";
import type { Answers, Question, Reply } from "./storage-server.ts";

/** Made beside the harness (run.mjs): Node 20 runs no TypeScript. */
const PROGRAM = "storage-server.mjs";
const IDENTITY = { bucket: "bench", accessKeyId: "bench-key", secretAccessKey: "bench-secret" } as const;

export const COUNTING_SERVER_TEXT =
  "an S3 server in memory, in a process of its own, which counts and stamps";

export interface StorageProcess {
  readonly storage: BenchStorage;
  /** Errors: VoidRun for an object that is none; the process ended. */
  ask<About extends keyof Answers>(about: About): Promise<Answers[About]>;
  /** Stops the process where it stands: connections are taken, and nothing is answered until `goOn`. */
  stall(): void;
  goOn(): void;
  close(): void;
}

export interface StorageProcessOptions {
  /** Its answers come so much later than they could. */
  readonly distanceMs?: number;
}

/** Starts an empty server, and ends it whatever happens. */
export async function withStorageProcess<T>(
  options: StorageProcessOptions,
  work: (server: StorageProcess) => Promise<T>,
): Promise<T> {
  const server = await startStorageProcess(join(import.meta.dirname, PROGRAM), options);
  try {
    return await work(server);
  } finally {
    server.close();
  }
}

/** @param program storage-server.ts as JavaScript. Whoever calls closes it. */
export async function startStorageProcess(
  program: string,
  { distanceMs = 0 }: StorageProcessOptions = {},
): Promise<StorageProcess> {
  const { bucket, accessKeyId, secretAccessKey } = IDENTITY;
  const args = [bucket, accessKeyId, secretAccessKey, String(distanceMs)];
  const child = fork(program, args, { serialization: "advanced" });
  const [endpoint] = (await orExit(child, once(child, "message"))) as [string];
  let questions = 0;
  child.setMaxListeners(0); // many may ask at once
  return {
    storage: { kind: "s3", endpoint, ...IDENTITY },
    ask: async (about) => {
      const question: Question = { number: ++questions, about };
      const replied = new Promise<Reply>((resolve) => {
        const listen = (reply: Reply) => {
          if (reply.number !== question.number) return;
          child.off("message", listen);
          resolve(reply);
        };
        child.on("message", listen);
      });
      child.send(question);
      const reply = await orExit(child, replied);
      if ("problem" in reply) throw new VoidRun(reply.problem);
      return reply.answer as Answers[typeof about];
    },
    stall: () => void child.kill("SIGSTOP"),
    goOn: () => void child.kill("SIGCONT"),
    close: () => void child.kill("SIGKILL"), // which one that is stopped heeds too
  };
}

async function orExit<T>(child: ChildProcess, work: Promise<T>): Promise<T> {
  const done = new AbortController();
  const exit = once(child, "exit", { signal: done.signal }).then(([code]) => {
    throw new Error(`the S3 server of the benchmark ended with ${code}`);
  });
  try {
    return await Promise.race([work, exit]);
  } finally {
    done.abort();
    exit.catch(() => {}); // of the abort
  }
}
