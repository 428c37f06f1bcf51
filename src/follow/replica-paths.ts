import { existsSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { WalrustError } from "../errors.ts";
import { localError } from "../shadow/local-error.ts";
import { makePrivateFolder } from "../shadow/private-folder.ts";

/** Where a replica and what belongs to it lie. Suffixes go behind the whole name, as SQLite's do. */
export interface ReplicaPaths {
  /** Absolute, symbolic links resolved, as SQLite does before it adds `-journal`. */
  readonly database: string;
  readonly journal: string;
  readonly state: string;
  /** Lock and scratch files; what is in it is of no use once the process has ended. */
  readonly folder: string;
  readonly lock: string;
  /** The pages of a batch, at their places, and their checksums. */
  readonly batchImage: string;
  readonly batchTable: string;
  /** A restored database that is to become the replica. */
  readonly staged: string;
}

/** Errors: USAGE where there is no such folder, or a name that SQLite's driver would read as another one. */
export function replicaPaths(path: string): ReplicaPaths {
  const database = existsSync(path) ? realpathSync(path) : resolve(path);
  if (database !== database.trim())
    throw new WalrustError("USAGE", `${database}: the name ends with white space`);
  if (!existsSync(dirname(database))) {
    throw new WalrustError("USAGE", `the folder ${dirname(database)} does not exist`, {
      hint: "Create it first.",
    });
  }
  const folder = join(dirname(database), `.${basename(database)}-replica`);
  return {
    database,
    journal: `${database}-journal`,
    state: `${database}-replica-state`,
    folder,
    lock: join(folder, "lock.db"),
    batchImage: join(folder, "batch"),
    batchTable: join(folder, "batch-pages"),
    staged: join(folder, "staged.db"),
  };
}

/** Errors: LOCAL_IO, LOCAL_DISK_FULL. */
export function createReplicaFolder({ folder }: ReplicaPaths): void {
  makePrivateFolder(folder, "Make the folder of the replica writable.");
}

/** Whatever a process that ended left in the folder. Errors: LOCAL_IO. */
export function removeScratch({ folder, lock }: ReplicaPaths): void {
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(basename(lock))) rmSync(join(folder, name), { recursive: true, force: true });
    }
  } catch (error) {
    throw localError(error, "empty the folder", folder);
  }
}
