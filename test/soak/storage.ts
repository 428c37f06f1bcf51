import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { folderState } from "../../src/bench/folder.ts";
import { until } from "../../src/bench/until.ts";
import { startSeaweedFs } from "../interop/helpers/servers.ts";
import type { SoakOptions } from "./arguments.ts";

/** What was asked of the storage since it began, and what it holds; as it counts itself. */
export interface StorageCounts {
  /** By operation. */
  readonly requests: Readonly<Record<string, number>>;
  /** In bodies of requests. */
  readonly sentBytes: number;
  readonly objects: number;
  readonly storedBytes: number;
  readonly openUploads: number;
}

/** `refused`: no connection; `unavailable`: 503. */
export interface StorageOrder {
  readonly state: "well" | "refused" | "unavailable";
}

export interface SoakStorage {
  /** Lines of [s3]. */
  readonly s3: readonly string[];
  /** Of what lies in it: the address of a copy is this, a slash, and its name. */
  readonly address: string;
  readonly env: Readonly<Record<string, string>>;
  /** The storage's own numbers, as far as it can be asked. */
  counts(): Partial<StorageCounts>;
  /** How it can fail; empty: not at all. */
  readonly failures: readonly StorageOrder["state"][];
  order(state: StorageOrder["state"]): void;
  close(): Promise<void>;
}

const BUCKET = "soak";
const KEYS = { accessKeyId: "soak", secretAccessKey: "soak-secret-key" } as const;
const START_LIMIT_MS = 30_000;

/** @param serverScript storage-process.ts, bundled */
export function openStorage(
  kind: SoakOptions["storage"],
  out: string,
  serverScript: string,
): Promise<SoakStorage> {
  if (kind === "s3") return strictServer(serverScript);
  return kind === "folder" ? Promise.resolve(folder(out)) : seaweedFs();
}

async function strictServer(script: string): Promise<SoakStorage> {
  const child: ChildProcess = fork(script, [BUCKET, KEYS.accessKeyId, KEYS.secretAccessKey]);
  let endpoint: string | undefined;
  let counts: StorageCounts | undefined;
  child.on("message", (told: { readonly endpoint?: string; readonly counts?: StorageCounts }) => {
    endpoint = told.endpoint ?? endpoint;
    counts = told.counts ?? counts;
  });
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  await until("the S3 server listens", () => counts !== undefined && endpoint !== undefined, {
    limitMs: START_LIMIT_MS,
  });
  return {
    ...server(endpoint ?? "", BUCKET, KEYS),
    counts: () => counts ?? {},
    failures: ["refused", "unavailable"],
    order: (state) => child.send({ state } satisfies StorageOrder),
    close: async () => {
      process.removeListener("exit", end);
      end();
    },
  };
}

async function seaweedFs(): Promise<SoakStorage> {
  const { endpoint, bucket, accessKeyId, secretAccessKey, close } = await startSeaweedFs();
  return {
    ...server(endpoint, bucket, { accessKeyId, secretAccessKey }),
    counts: () => ({}),
    failures: [],
    order: () => {},
    close,
  };
}

function folder(out: string): SoakStorage {
  const path = join(out, "storage");
  mkdirSync(path, { recursive: true });
  const address = pathToFileURL(path).href;
  return {
    address,
    s3: [`bucket = ${JSON.stringify(address)}`],
    env: {},
    counts: () => {
      const { files, bytes } = folderState(path);
      return { objects: files, storedBytes: bytes };
    },
    failures: [],
    order: () => {},
    close: () => Promise.resolve(),
  };
}

function server(
  endpoint: string,
  bucket: string,
  keys: { readonly accessKeyId: string; readonly secretAccessKey: string },
) {
  return {
    address: `s3://${bucket}`,
    s3: [
      `bucket = ${JSON.stringify(bucket)}`,
      `endpoint = ${JSON.stringify(endpoint)}`,
      'region = "us-east-1"',
    ],
    env: { AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey },
  };
}
