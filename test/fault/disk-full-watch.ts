import { expect } from "vitest";
import { Watched } from "../helpers/daemon/watched.ts";
import { settled } from "../helpers/manual-clock.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { breakDisk, type Errno, IS_FULL, mendDisk, operations } from "./disk-full-faults.ts";

/** Handovers as often as there is something to hand over: they write the most. */
const SYNC = { checkpointIntervalMs: 1000, minCheckpointPages: 1, manifestIntervalMs: 5000 };
const COMMITS = 4;
const PAUSE_MS = 2500;
/** What only a person can mend is tried again every 15 s. */
const RECOVERY_MS = 40_000;

/**
 * One operation of a daemon on its local state fails, alone or with all that follow until the disk is mended: the application goes on,
 * what is told is typed and names the place, and when the disk is mended everything is published by itself. Returns whether it failed at all.
 */
async function watchWithFault(errno: Errno, at: number, goesOn: boolean): Promise<boolean> {
  const stage = new Stage({ rows: 50 });
  const { path: folder } = stage.folder;
  breakDisk({ errno, at, folder, goesOn });
  const watched = new Watched(stage, { sync: SYNC });
  for (let commit = 0; commit < COMMITS; commit++) {
    await stage.clock.advance(PAUSE_MS);
    // Its busy timeout is 0: a lock of ours that stayed would be an error here.
    stage.app.exec("INSERT INTO t(body) VALUES (hex(randomblob(3000)))");
    await settled();
  }
  await stage.clock.advance(PAUSE_MS);
  const done = [...operations];
  mendDisk();
  const what = `${errno} at ${at}${goesOn ? " and on" : ""}: ${done[at]}`;
  await stage.clock.advance(RECOVERY_MS);
  stage.app.exec("INSERT INTO t(body) VALUES ('the last one')");
  await stage.clock.advance(PAUSE_MS);
  for (const { error } of watched.of("sync_failed")) {
    expect(error.code, `${what}: ${error.stack}`).toMatch(
      IS_FULL.test(errno) ? /^LOCAL_DISK_FULL$/ : /^LOCAL_IO$/,
    );
    expect(error.message, what).toContain(folder);
  }
  const { error } = await watched.stop();
  expect(error, `${what}: ${error?.stack}`).toBe(undefined);
  await stage.expectWhole();
  return done.length > at;
}

/** The same for every operation, or each `step`-th. */
export async function watchWithFaults(errno: Errno, goesOn: boolean, step = 1): Promise<void> {
  let at = 0;
  while (await watchWithFault(errno, at, goesOn)) at += step;
  expect(at, "operations of a daemon").toBeGreaterThan(20);
}
