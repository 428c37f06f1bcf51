import { Core, compileCore } from "../src/wasm/core.ts";
import { type RequestRecord, startS3Server } from "../test/helpers/s3-server/server.ts";
import type { DurablePublication } from "./lags.ts";
import { readPublication } from "./last-row.ts";

/*
 * The strict S3 server of the tests in a process of its own: its work must not count as ours. It says its endpoint, and then answers
 * questions about what it saw. All bodies stay in memory.
 */

/** What can be asked: each question has its number, and so has the answer. */
export interface Answers {
  /** How many requests there were, by operation. */
  readonly requests: Readonly<Record<string, number>>;
  /** The first and the latest `.ltx` object of each folder, by the folder with its slash: process.hrtime when it was there. */
  readonly arrivals: ReadonlyMap<string, { readonly firstNs: bigint; readonly lastNs: bigint }>;
  /** All `.ltx` objects of each folder, in the order in which they arrived, read and proved. */
  readonly publications: ReadonlyMap<string, readonly DurablePublication[]>;
  /** Its port and all connections are closed now. */
  readonly closed: true;
  /** Its port is open again. */
  readonly opened: true;
}

/** `problem`: an object that cannot be read. */
export type Reply = { readonly number: number } & (
  | { readonly answer: Answers[keyof Answers] }
  | { readonly problem: string }
);

export interface Question {
  readonly number: number;
  readonly about: keyof Answers;
}

interface StoredObject {
  readonly key: string;
  readonly atNs: bigint;
  readonly body: Buffer;
}

const requests: Record<string, number> = {};
/** Of all folders, in the order in which they arrived. */
const stored: StoredObject[] = [];
const arrivals = new Map<string, { readonly firstNs: bigint; readonly lastNs: bigint }>();

const [bucket = "", accessKeyId = "", secretAccessKey = "", distanceMs = "0"] = process.argv.slice(2);
const identity = { bucket, accessKeyId, secretAccessKey };
const server = await startS3Server({ ...identity, forOthers: true, onDone: note });
if (distanceMs !== "0") {
  const late = { kind: "late", afterMs: Number(distanceMs) } as const;
  server.faults.add(late, undefined, { times: Number.POSITIVE_INFINITY });
}
process.on("message", (question: Question) => void answer(question));
process.on("disconnect", () => process.exit());
process.send?.(server.endpoint);

function note({ operation, key, status }: RequestRecord): void {
  const atNs = process.hrtime.bigint();
  server.requests.length = 0; // with their headers they would be the largest thing here
  requests[operation] = (requests[operation] ?? 0) + 1;
  const isWritten = operation === "PutObject" || operation === "CompleteMultipartUpload";
  const object = isWritten && status === 200 && key.endsWith(".ltx") && server.objects.get(key);
  if (!object) return;
  stored.push({ key, atNs, body: object.body });
  const folder = folderOf(key);
  arrivals.set(folder, { firstNs: arrivals.get(folder)?.firstNs ?? atNs, lastNs: atNs });
}

async function answer({ number, about }: Question): Promise<void> {
  const answers = {
    requests: () => requests,
    arrivals: () => arrivals,
    publications,
    closed: () => outage(true),
    opened: () => outage(false),
  };
  const reply = (answered: Reply) => process.send?.(answered);
  try {
    reply({ number, answer: await answers[about]() });
  } catch (error) {
    reply({ number, problem: error instanceof Error ? error.message : String(error) });
  }
}

async function outage(on: boolean): Promise<true> {
  await server.outage(on);
  return true;
}

async function publications(): Promise<Answers["publications"]> {
  const core = new Core(compileCore());
  const read = new Map<string, DurablePublication[]>();
  for (const { key, atNs, body } of stored) {
    const publication = { ...(await readPublication(core, key, body)), atNs };
    const ofFolder = read.get(folderOf(key));
    if (ofFolder) ofFolder.push(publication);
    else read.set(folderOf(key), [publication]);
  }
  return read;
}

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/") + 1);
}
