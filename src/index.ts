/** The public library (README.md, "Library"). */
export { type ErrorCode, isWalrustError, WalrustError } from "./errors.ts";
export {
  type CompactOptions,
  type ReplicateOptions,
  type RestoreOptions,
  type SnapshotResult,
  Walrust,
  type WalrustOptions,
  type WatchOptions,
} from "./library/walrust.ts";
export type { WatchProcess } from "./library/watch-process.ts";
export type { ManifestFix, VerifiedAndFixed } from "./restore/fix-manifest.ts";
export type { ListedDatabase, RestorePoints } from "./restore/list.ts";
export type { RestoreProgress, RestoreResult } from "./restore/restore.ts";
export type { VerifyReport } from "./restore/verify.ts";
export type { CompactProgress, CompactReport, MergedFile } from "./retention/compact.ts";
export type { PlannedDeletion, StayingSnapshot } from "./retention/plan.ts";
