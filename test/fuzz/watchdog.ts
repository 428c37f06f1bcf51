import { Worker } from "node:worker_threads";
import { pathFor } from "./corpus.ts";

/** Nothing else can stop a loop that never ends: after so long on one input the process ends, and the input is kept. */
const LIMIT_MS = 60_000;
const MAX_BYTES = 1 << 20;

/** Runs in a thread of its own. Words: 0 = which input, 1 = its length, -1 while none is examined. */
const WATCHER = `
  const { workerData, parentPort } = require("node:worker_threads");
  const { writeFileSync, mkdirSync } = require("node:fs");
  const { dirname } = require("node:path");
  const { words, bytes, limitMs, path, replay } = workerData;
  let last = [0, Date.now()];
  const timer = setInterval(() => {
    const now = Date.now();
    if (words[0] !== last[0] || words[1] < 0) last = [words[0], now];
    else if (now - last[1] > limitMs) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, Buffer.from(bytes.slice(0, words[1])));
      process._rawDebug("an input takes longer than " + limitMs + " ms: kept as " + path + "\\n" + replay);
      process.kill(process.pid, "SIGKILL");
    }
  }, 1000);
  parentPort.on("message", () => { clearInterval(timer); parentPort.close(); });
`;

export class Watchdog {
  readonly #words = new Int32Array(new SharedArrayBuffer(8));
  readonly #bytes = new Uint8Array(new SharedArrayBuffer(MAX_BYTES));
  readonly #worker: Worker;

  constructor(target: string) {
    this.#words[1] = -1;
    const path = pathFor(target, Buffer.from(`endless ${process.pid}`));
    const replay = `Replay: npm run fuzz -- ${target} --replay`;
    const workerData = { words: this.#words, bytes: this.#bytes, limitMs: LIMIT_MS, path, replay };
    this.#worker = new Worker(WATCHER, { eval: true, workerData });
    this.#worker.unref();
  }

  watch(input: Uint8Array): void {
    const kept = input.subarray(0, MAX_BYTES);
    this.#bytes.set(kept);
    this.#words[1] = kept.length;
    this.#words[0] = (this.#words[0] ?? 0) + 1;
  }

  rest(): void {
    this.#words[1] = -1;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
