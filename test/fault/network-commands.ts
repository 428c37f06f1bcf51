import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isWalrustError } from "../../src/errors.ts";
import { verifyAndFix } from "../../src/restore/fix-manifest.ts";
import { listDatabases, listRestorePoints } from "../../src/restore/list.ts";
import { restore } from "../../src/restore/restore.ts";
import { verify } from "../../src/restore/verify.ts";
import { compact } from "../../src/retention/compact.ts";
import { openStorage } from "../../src/storage/open.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { aSource, following } from "../helpers/follow/source.ts";
import { policyOf } from "../helpers/retention/files.ts";
import { type S3Server, startS3Server } from "../helpers/s3-server/server.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";
import { bytesOf, ENV, IDENTITY, settingsFor, skippingClock } from "../storage/support.ts";
import {
  BODY_FAULTS,
  CONNECTION_FAULTS,
  listFaults,
  type NetworkFault,
  REFUSALS,
  readFaults,
} from "./network-faults.ts";

/** A backup of a real database: a snapshot, incrementals, and a manifest that does not name the last one yet. */
interface Template {
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly head: bigint;
  readonly latest: Uint8Array;
}

interface Command {
  /** The requests that it makes. */
  readonly operations: readonly string[];
  /** A fault that is none: it asks for all that is there. */
  readonly takes?: string;
  /** Throws, or asserts that what it says is true. */
  readonly run: (storage: Storage, template: Template) => Promise<void>;
}

const cores = new CorePool();
const INCREMENTALS = 5;
const POLICY = policyOf({ hourly: 1 }, { fineWindowMs: 0, stepMs: 3_600_000 });

export const COMMANDS: Readonly<Record<string, Command>> = {
  restore: {
    operations: ["ListObjectsV2", "GetObject"],
    run: async (storage, template) => {
      const path = join(tempFolder(), "out.db");
      await restore({ storage, cores }, "app", path, { integrityCheck: "none" });
      expect(readFileSync(path).equals(template.latest)).toBe(true);
    },
  },
  verify: {
    operations: ["ListObjectsV2", "GetObject"],
    run: async (storage, { head }) => {
      const { findings, headTxid } = await verify({ storage, cores }, "app");
      expect({ findings, headTxid }).toEqual({ findings: [], headTxid: head });
    },
  },
  "verify --fix": {
    operations: ["ListObjectsV2", "GetObject", "PutObject"],
    run: async (storage) => {
      const { report, fix } = await verifyAndFix({ storage, cores, clock: skippingClock() }, "app");
      expect([report.findings, fix]).toMatchObject([[], { named: INCREMENTALS + 1 }]);
    },
  },
  list: {
    operations: ["ListObjectsV2"],
    takes: "keys that nobody asked for",
    run: async (storage, { head }) => {
      const databases = await listDatabases(storage);
      expect(databases.map(({ name, txid }) => ({ name, txid }))).toEqual([{ name: "app", txid: head }]);
    },
  },
  "list NAME": {
    operations: ["ListObjectsV2", "GetObject"],
    run: async (storage, { head }) => {
      const { points } = await listRestorePoints(storage, "app");
      expect([points.length, points.at(-1)?.txid]).toEqual([INCREMENTALS + 1, head]);
    },
  },
  compact: {
    operations: ["ListObjectsV2", "GetObject", "PutObject", "DeleteObjects"],
    run: async (storage) => {
      await compact({ storage, cores, clock: skippingClock() }, "app", { policy: POLICY, force: true });
    },
  },
  "replicate --once": {
    operations: ["ListObjectsV2", "GetObject"],
    run: async (storage, { head }) => {
      const replica = following(storage);
      try {
        await replica.follower.once();
        expect(replica.events.at(-1)).toMatchObject({ type: "replica_applied", txid: head });
      } finally {
        replica.close();
      }
    },
  },
};

const FAULTS: readonly NetworkFault[] = [
  ...CONNECTION_FAULTS,
  ...BODY_FAULTS,
  ...REFUSALS,
  ...listFaults("app/"),
  ...readFaults(Buffer.from(bytesOf(5000, 2))),
  { name: "a body without an end", fault: { kind: "endless" }, of: ["GetObject"] },
];

/** What changes something by what it was told. */
export const CONCLUDING: readonly string[] = ["compact", "replicate --once", "verify --fix"];

/** Something that could be taken for an answer, and is none. */
export function isAnAnswer({ fault, isSlow }: NetworkFault): boolean {
  return isSlow !== true && !["refuse", "reset", "cut", "unread", "late"].includes(fault.kind);
}

/** Bytes that are not the object's: told as damage, which they are. */
const DAMAGES = [
  "another object's bytes",
  "a Content-Length within the body",
  "a page of no type",
  "another range",
  "a body without an end",
];

/** What a storage that cannot be asked may end in; anything else is a conclusion drawn from it. */
const STORAGE_ERRORS =
  /^STORAGE_(NETWORK|TIMEOUT|UNAVAILABLE|THROTTLED|REJECTED|AUTH|FULL|BUCKET_NOT_FOUND|CONFLICT)$/;
const DAMAGE_ERRORS = /^(INTEGRITY_\w+|STORAGE_\w+)$/;

let server: S3Server;
let template: Template | undefined;

/**
 * Every command against every fault in each kind of request that it makes, for a while and for ever: it tells what is true, or fails with a
 * typed error of the storage. When the fault is over the command succeeds, and nothing was lost.
 */
export function describeCommands(fits: (fault: NetworkFault, command: string) => boolean): void {
  beforeAll(async () => {
    server = await startS3Server({ bucket: "bucket", ...IDENTITY });
  });
  afterAll(() => server.close());

  const suites = Object.entries(COMMANDS)
    .map(([name, command]) => ({ name, command, cases: casesOf(name, command, fits) }))
    .filter(({ cases }) => cases.length > 0);

  describe.each(suites)("$name", ({ command, cases }) => {
    it.each(cases)("$operation: $name", async ({ name, operation, fault, isPlausible = false }) => {
      template ??= await makeTemplate();
      const isDamage = operation === "GetObject" && DAMAGES.includes(name);
      for (const times of isPlausible ? [1e9] : [1, 1e9]) {
        upload(template);
        server.faults.add(fault, operation, { times });
        await expectHonest(command, template, isDamage);
      }
      server.faults.clear();
      await withStorage((storage) => command.run(storage, whole(template)));
      await expectNothingLost(whole(template));
    });
  });
}

function casesOf(
  name: string,
  command: Command,
  fits: (fault: NetworkFault, command: string) => boolean,
): readonly (NetworkFault & { readonly operation: string })[] {
  return command.operations.flatMap((operation) =>
    FAULTS.filter((fault) => fits(fault, name) && fault.name !== command.takes)
      .filter(({ of = [operation] }) => of.includes(operation))
      .map((fault) => ({ ...fault, operation })),
  );
}

const whole = (made: Template | undefined): Template => {
  if (made === undefined) throw new Error("there is no backup yet");
  return made;
};

async function makeTemplate(): Promise<Template> {
  const source = await aSource();
  for (let i = 0; i < INCREMENTALS; i++) {
    if (i === INCREMENTALS - 1) source.history.manifest();
    await source.commit(3);
  }
  const objects = source.storage.keys().map((key) => [key, source.storage.peek(key)] as const);
  return { objects: new Map(objects), head: source.history.head, latest: source.history.image() };
}

/** The server's objects are those of the template, and no fault is left. */
function upload({ objects }: Template): void {
  server.faults.clear();
  server.reset(objects);
}

async function withStorage<T>(use: (storage: Storage) => Promise<T>): Promise<T> {
  const settings = settingsFor("bucket", { endpoint: server.endpoint, provider: "aws" });
  const storage = await openStorage(settings, { clock: skippingClock(), env: ENV });
  try {
    return await use(storage);
  } finally {
    await storage.close();
  }
}

async function expectHonest(command: Command, made: Template, isDamage: boolean): Promise<void> {
  try {
    await withStorage((storage) => command.run(storage, made));
  } catch (error) {
    if (isDamage && !isWalrustError(error)) return; // a finding that names the damage
    if (!isWalrustError(error)) throw error;
    expect(error.code, error.message).toMatch(isDamage ? DAMAGE_ERRORS : STORAGE_ERRORS);
  }
}

async function expectNothingLost({ latest }: Template): Promise<void> {
  const path = join(tempFolder(), "afterwards.db");
  await withStorage(async (storage) => {
    await restore({ storage, cores }, "app", path, { integrityCheck: "none" });
    expect((await verify({ storage, cores }, "app")).findings).toEqual([]);
  });
  expect(readFileSync(path).equals(latest)).toBe(true);
}
