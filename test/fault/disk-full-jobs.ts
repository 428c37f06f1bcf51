import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, vi } from "vitest";
import { restore } from "../../src/restore/restore.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { aSource, following, type Source } from "../helpers/follow/source.ts";
import type { MemoryStorage } from "../helpers/memory-storage.ts";
import { Backup } from "../helpers/retention/backup.ts";
import { policyOf } from "../helpers/retention/files.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";
import type { Job } from "./disk-full-sweep.ts";

const cores = new CorePool();
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Publications of one minute become one file. */
const MERGE_MINUTES = policyOf({ hourly: 24 }, { stepMs: MINUTE_MS });

/** What writes to local files beside the daemon: what is needed once, then a job for each failure. */
export const JOBS: Readonly<Record<string, () => Promise<() => Promise<Job>>>> = {
  "restore to a new file": async () => {
    const source = await aChain();
    return async () => restoreJob(source, tempFolder());
  },

  "restore over a database with a log": async () => {
    const source = await aChain();
    return async () => {
      const folder = tempFolder();
      for (const name of ["out.db", "out.db-wal"]) writeFileSync(join(folder, name), `old ${name}`);
      return restoreJob(source, folder);
    };
  },

  "compact, in TMPDIR": async () => compactJob,

  "first copy of a replica": async () => {
    const source = await aChain();
    return async () => replicaJob(source.storage, join(tempFolder(), "replica.db"), source.history.head);
  },

  "next step of a replica": () =>
    followOn(async (source) => {
      for (let i = 0; i < 3; i++) await source.commit(10);
    }),

  "a replica past a gap": () =>
    followOn(async (source) => {
      source.write(30);
      await source.snapshot();
    }),
};

async function aChain(): Promise<Source> {
  const source = await aSource();
  for (let i = 0; i < 3; i++) await source.commit(4);
  return source;
}

function restoreJob({ storage, history }: Source, folder: string): Job {
  const out = join(folder, "out.db");
  return {
    folder,
    // Whole, when only what comes behind its new name failed.
    mayLeave: /^out\.db$/,
    run: () => restore({ storage, cores }, "app", out, { force: true }),
    check: () => expect(readFileSync(out).equals(history.image())).toBe(true),
  };
}

async function compactJob(): Promise<Job> {
  const backup = new Backup();
  await backup.commit(0);
  await backup.commits(6, MINUTE_MS / 6);
  backup.clock.pass(2 * HOUR_MS);
  backup.manifest();
  vi.unstubAllEnvs();
  const folder = tempFolder();
  vi.stubEnv("TMPDIR", folder);
  const before = backup.files().length;
  return {
    folder,
    run: () => backup.compact(MERGE_MINUTES),
    check: async () => {
      await backup.expectSound();
      expect(backup.files().length).toBeLessThan(before);
    },
  };
}

/** A replica that is behind. */
async function followOn(meanwhile: (source: Source) => Promise<void>): Promise<() => Promise<Job>> {
  const source = await aChain();
  const folder = tempFolder();
  await replicaJob(source.storage, join(folder, "replica.db"), source.history.head).run();
  await meanwhile(source);
  return async () => {
    const copy = tempFolder();
    cpSync(folder, copy, { recursive: true });
    return replicaJob(source.storage, join(copy, "replica.db"), source.history.head);
  };
}

function replicaJob(storage: MemoryStorage, path: string, head: bigint): Job {
  let reached: bigint | undefined;
  return {
    folder: dirname(path),
    // The replica, or a journal that rolls it back, and what it remembers: it is proved before its next use.
    mayLeave: /^replica\.db(-journal|-replica-state.*)?$|\/lock/,
    run: async () => {
      const { follower, close } = following(storage, { path });
      try {
        await follower.once();
        reached = follower.status.txid;
      } finally {
        close();
      }
    },
    check: () => expect(reached).toBe(head),
  };
}
