import { CHECKPOINTS } from "./mutations/checkpoints.ts";
import { PROCESS } from "./mutations/process.ts";
import { READING_THE_LOG } from "./mutations/reading-the-log.ts";
import { RESTORE_AND_RETENTION } from "./mutations/restore-and-retention.ts";
import { SNAPSHOTS_AND_TXIDS } from "./mutations/snapshots-and-txids.ts";
import { STORAGE } from "./mutations/storage.ts";
import { type PitfallMutation, pitfallOf } from "./pitfall-mutation.ts";

/** For each pitfall at least one, in their order. */
export const MUTATIONS: readonly PitfallMutation[] = [
  ...READING_THE_LOG,
  ...CHECKPOINTS,
  ...SNAPSHOTS_AND_TXIDS,
  ...STORAGE,
  ...RESTORE_AND_RETENTION,
  ...PROCESS,
].sort((a, b) => pitfallOf(a) - pitfallOf(b));
