import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isWalrustError } from "../../src/errors.ts";
import { openStorage } from "../../src/storage/open.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { type S3Server, startS3Server } from "../helpers/s3-server/server.ts";
import { bytesOf, ENV, IDENTITY, keysOf, readAll, settingsFor, skippingClock } from "../storage/support.ts";
import {
  BODY_FAULTS,
  CONNECTION_FAULTS,
  listFaults,
  type NetworkFault,
  REFUSALS,
  readFaults,
} from "./network-faults.ts";

const OBJECT = Buffer.from(bytesOf(3000, 1));
const OTHER = Buffer.from(bytesOf(3000, 2));
const PART = 5 * 1024 * 1024;
const MAX_BYTES = 1 << 20;
/** More than one call makes, but for a large upload, which has more patience. */
const MORE_THAN_TRIES = 8;

export interface Call {
  readonly operation: string;
  /** Resolves with what is seen by who calls. */
  readonly run: (storage: Storage) => Promise<unknown>;
  /** What that must be. */
  readonly truth: unknown;
  /** What must be in the storage behind it. */
  readonly stored?: Readonly<Record<string, Buffer | undefined>>;
}

const upload = async (storage: Storage) => {
  const upload = storage.upload("db/new", {
    headSizeBytes: 8,
    expectedSizeBytes: PART + 100,
    condition: { kind: "absent" },
  });
  try {
    await upload.write(LARGE.subarray(8));
    await upload.complete(LARGE.subarray(0, 8));
  } finally {
    await upload.abort();
  }
};
const LARGE = Buffer.from(bytesOf(PART + 108, 3));

export const SMALL_CALLS: Readonly<Record<string, Call>> = {
  "check of the bucket": { operation: "ListObjectsV2", run: (storage) => storage.check(), truth: undefined },
  list: {
    operation: "ListObjectsV2",
    run: (storage) => keysOf(storage.list("db/")),
    truth: ["db/a", "db/b"],
  },
  "get of a small object": {
    operation: "GetObject",
    run: async (storage) =>
      Buffer.from((await storage.get("db/a", { maxBytes: MAX_BYTES })).body).equals(OBJECT),
    truth: true,
  },
  "read of a whole object": {
    operation: "GetObject",
    run: async (storage) => (await readAll(storage.read("db/a"))).equals(OBJECT),
    truth: true,
  },
  "read of a range": {
    operation: "GetObject",
    run: async (storage) =>
      (await readAll(storage.read("db/a", { offset: 1000, length: 500 }))).equals(
        OBJECT.subarray(1000, 1500),
      ),
    truth: true,
  },
  head: {
    operation: "HeadObject",
    run: async (storage) => (await storage.head("db/a")).sizeBytes,
    truth: 3000,
  },
  put: {
    operation: "PutObject",
    run: (storage) => storage.put("db/a", OTHER).then(() => "stored"),
    truth: "stored",
    stored: { "db/a": OTHER },
  },
  "put if absent": {
    operation: "PutObject",
    run: (storage) => storage.put("db/new", OTHER, { condition: { kind: "absent" } }).then(() => "stored"),
    truth: "stored",
    stored: { "db/new": OTHER },
  },
  "put if unchanged": {
    operation: "PutObject",
    run: async (storage) => {
      const etag = `"${server.objects.get("db/a")?.etag}"`;
      await storage.put("db/a", OTHER, { condition: { kind: "match", etag } });
      return "stored";
    },
    truth: "stored",
    stored: { "db/a": OTHER },
  },
  delete: {
    operation: "DeleteObjects",
    run: (storage) => storage.delete(["db/a", "db/none"]).then(() => "deleted"),
    truth: "deleted",
    stored: { "db/a": undefined, "db/b": OTHER },
  },
};

export const LARGE_CALLS: Readonly<Record<string, Call>> = {
  "beginning of a large upload": {
    operation: "CreateMultipartUpload",
    run: (storage) => upload(storage),
    truth: undefined,
    stored: { "db/new": LARGE },
  },
  "part of a large upload": {
    operation: "UploadPart",
    run: (storage) => upload(storage),
    truth: undefined,
    stored: { "db/new": LARGE },
  },
  "end of a large upload": {
    operation: "CompleteMultipartUpload",
    run: (storage) => upload(storage),
    truth: undefined,
    stored: { "db/new": LARGE },
  },
};
const FAULTS: readonly NetworkFault[] = [
  ...CONNECTION_FAULTS,
  ...BODY_FAULTS,
  ...REFUSALS,
  ...listFaults("db/"),
  ...readFaults(OTHER),
];

/**
 * What nobody can tell from the truth by the answer alone: that a body is not what its key names is for its reader to find, who has
 * checksums; and a HEAD is asked in a doubt about one object only.
 */
const UNTOLD: Readonly<Record<string, readonly string[]>> = {
  GetObject: [
    "another object's bytes",
    "a Content-Length within the body",
    "a page of no type",
    "another range",
  ],
  HeadObject: ["a Content-Length within the body", "a Content-Length beyond the body", "a page of no type"],
};

let server: S3Server;
let storage: Storage;

function opened(): Promise<Storage> {
  return openStorage(settingsFor("bucket", { endpoint: server.endpoint, provider: "aws" }), {
    clock: skippingClock(),
    env: ENV,
  });
}

/** Ends with what is true, or a typed error of the storage. */
async function expectHonest(call: Call, fault: string): Promise<void> {
  const outcome = await call.run(storage).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in outcome) {
    const { error } = outcome;
    if (!isWalrustError(error)) throw error;
    expect(error.code).toMatch(
      /^STORAGE_(NETWORK|TIMEOUT|UNAVAILABLE|THROTTLED|REJECTED|AUTH|FULL|BUCKET_NOT_FOUND)$/,
    );
    return;
  }
  if (UNTOLD[call.operation]?.includes(fault)) return;
  expect(outcome.value).toEqual(call.truth);
  expectStored(call);
}

function expectStored({ stored = {} }: Call): void {
  for (const [key, body] of Object.entries(stored)) {
    expect(server.objects.get(key)?.body.equals(body ?? Buffer.alloc(0)), key).toBe(body && true);
  }
}

/**
 * Every one of these calls against every fault: it ends with what is true, or with a typed error of the storage; never with something that
 * is not so. When the fault is over the same call does what it should.
 */
export function describeCalls(
  calls: Readonly<Record<string, Call>>,
  fits: (fault: NetworkFault) => boolean = () => true,
): void {
  beforeAll(async () => {
    server = await startS3Server({ bucket: "bucket", ...IDENTITY });
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    storage = await opened();
  });
  afterEach(async () => {
    server.faults.clear();
    await storage.close();
  });

  describe.each(Object.entries(calls))("%s", (_name, call) => {
    const faults = FAULTS.filter(
      (fault) => fits(fault) && (fault.of === undefined || fault.of.includes(call.operation)),
    );

    it.each(faults)("$name", async ({ name, fault, isSlow = false, isPlausible = false }) => {
      const phases = isPlausible ? [MORE_THAN_TRIES] : [1, isSlow ? 2 : MORE_THAN_TRIES];
      for (const times of phases) {
        await startOver();
        server.faults.add(fault, call.operation, { times });
        await expectHonest(call, name);
      }
      await startOver({ keep: true });
      const again = await call.run(storage).catch((error: unknown) => {
        // It was done before, and the answer got lost: whoever calls again sees that it is there.
        if (isWalrustError(error, "STORAGE_CONFLICT")) return call.truth;
        throw error;
      });
      expect(again).toEqual(call.truth);
      expectStored(call);
    });
  });
}

/** No fault, no memory of one, and what lies in the storage at the beginning. */
async function startOver({ keep = false } = {}): Promise<void> {
  server.faults.clear();
  await storage.close();
  storage = await opened();
  if (keep) return;
  await storage.delete(["db/new"]);
  await storage.put("db/a", OBJECT);
  await storage.put("db/b", OTHER);
}
