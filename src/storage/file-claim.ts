import { createHash } from "node:crypto";
import { lstat, open, readFile, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../clock.ts";
import { errnoOf } from "./file-error.ts";
import { TEMP_PREFIX } from "./file-folder.ts";

/** A claim is held for one rename and two fsyncs. Older ones were left by a crash of another machine, or in the moment of their making. */
const STALE_CLAIM_MS = 60_000;
const CLAIM_POLL_MS = 20;

/**
 * Runs `body` while no other put with a condition on the same path does, in this process or another one: a file system can
 * compare or rename, not both at once. The claim is a file made with O_EXCL, and says whose it is. Writers without a condition don't ask for it.
 */
export async function whileClaimed<T>(path: string, clock: Clock, body: () => Promise<T>): Promise<T> {
  // The object's own name could be too long with anything added to it.
  const mark = createHash("sha256").update(basename(path)).digest("hex").slice(0, 32);
  const claim = join(dirname(path), `${TEMP_PREFIX}claim-${mark}`);
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
    const handle = await open(claim, "wx", 0o600);
    try {
      await handle.writeFile(HOLDER);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** One line: the machine's name, and the process. */
const HOLDER = `${hostname()} ${process.pid}\n`;

async function removeIfStale(claim: string, clock: Clock): Promise<boolean> {
  try {
    const { ino, ctimeMs } = await lstat(claim);
    const isStale = clock.now() - ctimeMs > STALE_CLAIM_MS || isOfTheDead(await readFile(claim, "latin1"));
    // somebody else may have removed it meanwhile, and claimed
    if (!isStale || (await lstat(claim)).ino !== ino) return false;
    await unlinkIfThere(claim);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** A process of this machine that was killed while it held the claim. */
function isOfTheDead(holder: string): boolean {
  const [, host, pid] = /^(\S+) (\d+)\n$/.exec(holder) ?? [];
  if (host !== hostname() || pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return errnoOf(error) === "ESRCH";
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
