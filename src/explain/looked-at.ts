import { statSync } from "node:fs";
import type { DatabaseSettings } from "../config/settings.ts";
import { toWalrustError, type WalrustError } from "../errors.ts";
import { inspectDatabase } from "../sqlite/inspect.ts";

/** A database as its file shows it from outside: its size and its header, nothing is opened by SQLite. */
export interface LookedAtDatabase {
  readonly settings: DatabaseSettings;
  /** Undefined: there is no such file. */
  readonly sizeBytes: number | undefined;
  readonly walSizeBytes: number;
  /** Undefined: it cannot be backed up, and `problem` says why. */
  readonly pageSizeBytes: number | undefined;
  readonly problem: WalrustError | undefined;
}

export function lookAt(settings: DatabaseSettings): LookedAtDatabase {
  const sizes = { sizeBytes: sizeOf(settings.path), walSizeBytes: sizeOf(`${settings.path}-wal`) ?? 0 };
  try {
    const { pageSizeBytes, paths } = inspectDatabase(settings.path);
    const walSizeBytes = sizeOf(paths.wal) ?? 0;
    return { settings, ...sizes, walSizeBytes, pageSizeBytes, problem: undefined };
  } catch (error) {
    return { settings, ...sizes, pageSizeBytes: undefined, problem: toWalrustError(error) };
  }
}

function sizeOf(path: string): number | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() ? stat.size : undefined;
}
