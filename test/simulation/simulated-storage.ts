import { WalrustError } from "../../src/errors.ts";
import { databaseKeys } from "../../src/storage/keys.ts";
import { parseManifest } from "../../src/storage/manifest.ts";
import type { Storage, Upload } from "../../src/storage/storage.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

/** Of the copy. */
export const NAME = "app";

/** The storage of a simulation, and what each process sees of it: requests that are answered when the schedule says so. */
export class SimulatedStorage {
  readonly objects: MemoryStorage;
  /** Nothing is answered until it is over. */
  isAway = false;
  /** Keys that were deleted while the manifest named them: whoever restores at that moment misses them. */
  readonly deletedTooEarly: string[] = [];

  constructor(now: () => number) {
    this.objects = new MemoryStorage({ now, pieceSizeBytes: 1 << 16 });
  }

  /** @param OwnError the class of errors that the process knows: it has its own copy of everything */
  of(process: SimulatedProcess, OwnError: typeof WalrustError): Storage {
    const { objects } = this;
    const request = <T>(name: string, target: string, effect: () => Promise<T>): Promise<T> =>
      process.later({ kind: "storage", name, target }, effect).catch((error) => {
        throw error instanceof WalrustError ? new OwnError(error.code, error.message) : error;
      });
    return {
      url: objects.url,
      conditionalPut: objects.conditionalPut,
      distanceMs: 0,
      check: () => request("check", "", () => objects.check()),
      put: (key, body, { signal: _, ...options } = {}) => {
        const copy = new Uint8Array(body);
        return request("put", key, () => objects.put(key, copy, options));
      },
      get: (key, { maxBytes }) => request("get", key, () => objects.get(key, { maxBytes })),
      head: (key) => request("head", key, () => objects.head(key)),
      delete: (keys) =>
        request("delete", keys.join(" "), () => {
          const named = this.#namedKeys();
          this.deletedTooEarly.push(...keys.filter((key) => named.has(key)));
          return objects.delete(keys);
        }),
      upload: (key, { signal: _, ...options }): Upload => {
        const upload = objects.upload(key, options);
        return {
          write: (bytes) => upload.write(bytes),
          complete: (...args) => request("upload", key, () => upload.complete(...args)),
          abort: () => upload.abort(),
        };
      },
      read: (key, { signal: _, ...options } = {}) =>
        inParts(request, "read", key, () => copied(objects.read(key, options))),
      list: (prefix) => inParts(request, "list", prefix, () => objects.list(prefix)),
      close: async () => {},
    };
  }

  /** What the manifest of the copy names at this moment. */
  #namedKeys(): ReadonlySet<string> {
    const keys = databaseKeys(NAME);
    if (!this.objects.keys().includes(keys.manifest())) return new Set();
    const { files } = parseManifest(this.objects.peek(keys.manifest()), keys.manifest());
    return new Set(files.map(({ minTxid, maxTxid }) => keys.ltx(minTxid, maxTxid)));
  }
}

/** An answer that comes in parts: one that is cut off has brought half of them. */
async function* inParts<T>(
  request: (name: string, target: string, effect: () => Promise<void>) => Promise<void>,
  name: string,
  target: string,
  begin: () => AsyncIterable<T>,
): AsyncIterable<T> {
  const parts: T[] = [];
  try {
    await request(name, target, async () => {
      for await (const part of begin()) parts.push(part);
    });
  } catch (error) {
    yield* parts.slice(0, parts.length >> 1);
    throw error;
  }
  yield* parts;
}

async function* copied(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const piece of pieces) yield new Uint8Array(piece);
}

/** What a storage that is in trouble says. None of it means that an object is not there. */
export const TROUBLES = [
  "STORAGE_UNAVAILABLE",
  "STORAGE_TIMEOUT",
  "STORAGE_NETWORK",
  "STORAGE_THROTTLED",
  "STORAGE_AUTH",
  "STORAGE_FULL",
  "STORAGE_REJECTED",
  "STORAGE_BUCKET_NOT_FOUND",
] as const;

export type Trouble = (typeof TROUBLES)[number];

export function troubleOf(code: Trouble): WalrustError {
  return new WalrustError(code, `the simulated storage says ${code}`);
}
