import { createHash } from "node:crypto";
import type { Clock } from "../../src/clock.ts";
import type { StorageSettings } from "../../src/config/settings.ts";
import { type ErrorCode, isWalrustError } from "../../src/errors.ts";
import { LTX_HEADER_SIZE, LTX_TRAILER_SIZE } from "../../src/ltx/format.ts";
import type { StorageDependencies } from "../../src/storage/dependencies.ts";
import { openStorage } from "../../src/storage/open.ts";
import type { Storage, StoredObject } from "../../src/storage/storage.ts";
import { type S3Server, type S3ServerOptions, startS3Server } from "../helpers/s3-server/server.ts";

/** Bytes that look random and are the same for the same seed. */
export function bytesOf(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = (seed * 2_654_435_761 + 12_345) >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Header and trailer of an LTX file's sizes around a body, whose SHA-256 is what storages keep. */
export function ltxLike(
  bodySize: number,
  seed: number,
): { readonly file: Uint8Array; readonly sha256: string } {
  const file = bytesOf(LTX_HEADER_SIZE + bodySize + LTX_TRAILER_SIZE, seed);
  const body = file.subarray(LTX_HEADER_SIZE, LTX_HEADER_SIZE + bodySize);
  return { file, sha256: createHash("sha256").update(body).digest("hex") };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export async function keysOf(objects: AsyncIterable<StoredObject>): Promise<string[]> {
  return (await collect(objects)).map((object) => object.key);
}

/** The pieces of a read, copied: each is valid only until the next one is asked for. */
export async function readAll(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const piece of pieces) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}

/** The code that a call fails with; undefined when it succeeds. Anything but a WalrustError is thrown on. */
export async function refusal(call: Promise<unknown>): Promise<ErrorCode | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (isWalrustError(error)) return error.code;
    throw error;
  }
}

export function settingsFor(url: string, overrides: Partial<StorageSettings> = {}): StorageSettings {
  return {
    url,
    region: "us-east-1",
    concurrency: 16,
    partSizeBytes: 5 * 1024 * 1024,
    layout: "walrust",
    retry: {
      maxRetries: 5,
      baseDelayMs: 100,
      maxDelayMs: 30_000,
      circuitBreakerEnabled: true,
      circuitBreakerThreshold: 10,
      circuitBreakerCooldownMs: 60_000,
    },
    ...overrides,
  };
}

/** A clock on which every sleep is over at once, having taken its time. */
export interface SkippingClock extends Clock {
  readonly sleptMs: number[];
  /** The wall clock alone: jumps do not show on the monotonic one. */
  setWallClock(ms: number): void;
  advance(ms: number): void;
}

export function skippingClock(): SkippingClock {
  let monotonicMs = 1_000_000;
  let wallMs = Date.now();
  const sleptMs: number[] = [];
  const advance = (ms: number) => {
    monotonicMs += ms;
    wallMs += ms;
  };
  return {
    sleptMs,
    now: () => wallMs,
    monotonicMs: () => monotonicMs,
    setWallClock(ms) {
      wallMs = ms;
    },
    advance,
    async sleep(ms, { signal } = {}) {
      sleptMs.push(ms);
      advance(ms);
      signal?.throwIfAborted();
    },
    schedule() {
      throw new Error("nothing in storage sets a timer by itself");
    },
  };
}

export const IDENTITY = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
export const ENV = {
  AWS_ACCESS_KEY_ID: IDENTITY.accessKeyId,
  AWS_SECRET_ACCESS_KEY: IDENTITY.secretAccessKey,
};

export interface S3Bench {
  readonly server: S3Server;
  readonly storage: Storage;
  readonly clock: SkippingClock;
  readonly logs: { readonly level: string; readonly message: string }[];
  close(): Promise<void>;
}

/** A strict server and a storage on it. The server's time is the storage's. */
export async function s3Bench(
  options: {
    readonly server?: Partial<S3ServerOptions>;
    readonly settings?: Partial<StorageSettings>;
    readonly dependencies?: Partial<StorageDependencies>;
    readonly url?: string;
    /** Instead of 127.0.0.1, which is taken for AWS; every name leads to the server. */
    readonly hostname?: string;
  } = {},
): Promise<S3Bench> {
  const clock = skippingClock();
  const logs: S3Bench["logs"] = [];
  const log = (level: string) => (_facts: unknown, message: string) => void logs.push({ level, message });
  const server = await startS3Server({ bucket: "bucket", ...IDENTITY, clock, ...options.server });
  const endpoint =
    options.hostname === undefined ? server.endpoint : `http://${options.hostname}:${server.port}`;
  const provider = options.hostname === undefined ? { provider: "aws" as const } : {};
  const settings = settingsFor(options.url ?? "bucket", { endpoint, ...provider, ...options.settings });
  const storage = await openStorage(settings, {
    clock,
    env: ENV,
    logger: { info: log("info"), warn: log("warn") },
    lookup: (_host, _options, callback) => callback(null, [{ address: "127.0.0.1", family: 4 }]),
    ...options.dependencies,
  });
  return {
    server,
    storage,
    clock,
    logs,
    async close() {
      await storage.close();
      await server.close();
    },
  };
}
