import { createHash } from "node:crypto";
import { lstat, open, readFile, readlink, symlink, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../clock.ts";
import { isMarkOfTheDead, ownMark } from "../process-identity.ts";
import { errnoOf } from "./file-error.ts";
import { CLAIM_PREFIX } from "./temp-names.ts";

/** A claim is held for one rename and two fsyncs. Older ones were left by a crash of another machine, or in the moment of their making as a file. */
const STALE_CLAIM_MS = 60_000;
const CLAIM_POLL_MS = 20;

/**
 * Runs `body` while no other put with a condition on the same path does, in this process or another one: a file system can
 * compare or rename, not both at once. The claim is a link that leads nowhere and says whose it is, made in one step, so that a crash leaves none that
 * does not say it; where there are no links, a file made with O_EXCL. Writers without a condition don't ask for it.
 */
export async function whileClaimed<T>(path: string, clock: Clock, body: () => Promise<T>): Promise<T> {
  // The object's own name could be too long with anything added to it.
  const mark = createHash("sha256").update(basename(path)).digest("hex").slice(0, 32);
  const claim = join(dirname(path), CLAIM_PREFIX + mark);
  while (!(await tryClaim(claim))) {
    if (!(await removeIfStale(claim, clock))) await clock.sleep(CLAIM_POLL_MS);
  }
  try {
    return await body();
  } finally {
    await unlinkIfThere(claim);
  }
}

async function tryClaim(claim: string): Promise<boolean> {
  try {
    await symlink(ownMark(), claim);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
  }
  return tryClaimWithFile(claim);
}

async function tryClaimWithFile(claim: string): Promise<boolean> {
  try {
    const handle = await open(claim, "wx", 0o600);
    try {
      await handle.writeFile(ownMark());
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes a claim that nobody holds any more. False: there is none, or it may be held. */
export async function removeIfStale(claim: string, clock: Clock): Promise<boolean> {
  try {
    const { ino, ctimeMs } = await lstat(claim);
    const isStale = clock.now() - ctimeMs > STALE_CLAIM_MS || isMarkOfTheDead(await holderOf(claim));
    // somebody else may have removed it meanwhile, and claimed
    if (!isStale || (await lstat(claim)).ino !== ino) return false;
    await unlinkIfThere(claim);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

function holderOf(claim: string): Promise<string> {
  return readlink(claim).catch(() => readFile(claim, "latin1"));
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
