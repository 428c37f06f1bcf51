import { createHash } from "node:crypto";
import { lstat, open, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../clock.ts";
import { errnoOf } from "./file-error.ts";
import { TEMP_PREFIX } from "./file-folder.ts";

/** A claim is held for one rename and two fsyncs. Older ones were left by a crash. */
const STALE_CLAIM_MS = 60_000;
const CLAIM_POLL_MS = 20;

/**
 * Runs `body` while no other put with a condition on the same path does, in this process or another one: a file system can
 * compare or rename, not both at once. The claim is a file made with O_EXCL. Writers without a condition don't ask for it.
 */
export async function whileClaimed<T>(path: string, clock: Clock, body: () => Promise<T>): Promise<T> {
  // The object's own name could be too long with anything added to it.
  const mark = createHash("sha256").update(basename(path)).digest("hex").slice(0, 32);
  const claim = join(dirname(path), `${TEMP_PREFIX}claim-${mark}`);
  while (!(await tryClaim(claim))) {
    if (await isStale(claim, clock)) await unlinkIfThere(claim);
    else await clock.sleep(CLAIM_POLL_MS);
  }
  try {
    return await body();
  } finally {
    await unlinkIfThere(claim);
  }
}

async function tryClaim(claim: string): Promise<boolean> {
  try {
    await (await open(claim, "wx", 0o600)).close();
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function isStale(claim: string, clock: Clock): Promise<boolean> {
  try {
    return clock.now() - (await lstat(claim)).ctimeMs > STALE_CLAIM_MS;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
