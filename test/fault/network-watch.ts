import { rmSync } from "node:fs";
import { expect } from "vitest";
import { until } from "../../src/bench/until.ts";
import {
  type Application,
  addNotes,
  contentOf,
  expectRestored,
  openApplication,
} from "../helpers/e2e/application.ts";
import { type S3Storage, s3Storage } from "../helpers/e2e/s3-storage.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust, startWatch } from "../helpers/e2e/walrust.ts";
import type { NetworkFault } from "./network-faults.ts";

/** A call of the program gives up after 6; the daemon calls again. */
const MORE_THAN_A_CALL = 8;
const RECOVERY_MS = 60_000;

/**
 * One daemon through all of these, one after the other: it goes on by itself, the application does not notice, and in the end everything
 * is there.
 * @param times requests that fail: if not given, more than one call has patience for
 */
export async function liveThrough(faults: readonly NetworkFault[], times = MORE_THAN_A_CALL): Promise<void> {
  const at = scene();
  const storage = await s3Storage();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 20);
  const watch = startWatch(at, {
    ...storage,
    databases: [at.path("app.db")],
    args: [...storage.args, "--base-delay-ms", "10"],
  });
  await watch.untilEvent("snapshot");
  for (const { name, fault } of faults) {
    storage.server.faults.add(fault, "PutObject", { times });
    const before = published(storage);
    addNotes(app, 5);
    addNotes(app, 5);
    await until(`something is published after: ${name}`, () => published(storage) > before, {
      limitMs: RECOVERY_MS,
    });
    storage.server.faults.clear();
    expect(watch.child.running(), name).toBe(true);
  }
  await watch.drain();
  await expectSame(at, storage, app);
}

/**
 * A daemon that remembers nothing begins while the storage answers like this: what is there is not taken for nothing. It waits, or ends and
 * says that it is the storage; when that answers again the backup goes on.
 */
export async function beginDuring({ name, fault }: NetworkFault, operation: string): Promise<void> {
  const at = scene();
  const storage = await s3Storage();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 20);
  const watching = {
    ...storage,
    databases: [at.path("app.db")],
    args: [...storage.args, "--base-delay-ms", "10"],
  };
  const first = startWatch(at, watching);
  await first.untilEvent("snapshot");
  addNotes(app, 5);
  await first.drain();
  const files = new Map(ltxBodies(storage));
  rmSync(at.path(".app.db-walrust"), { recursive: true });
  addNotes(app, 5);

  // The first list proves that the bucket is there: without it nothing begins.
  const skip = operation === "ListObjectsV2" ? 1 : 0;
  storage.server.faults.add(fault, operation, { times: MORE_THAN_A_CALL, skip });
  const second = startWatch(at, watching);
  const isEnded = () => !second.child.running();
  await until(`it begins or ends: ${name}`, () => isEnded() || second.events("opened").length > 0, {
    limitMs: RECOVERY_MS,
  });
  storage.server.faults.clear();
  if (isEnded()) {
    const { code, stderr } = await second.child.exited;
    expect([4, 5], `${name}: ${stderr}`).toContain(code);
    const third = startWatch(at, watching);
    await third.untilEvent("opened", { limitMs: RECOVERY_MS });
    await third.drain();
  } else await second.drain();
  for (const [key, body] of files)
    expect(storage.server.objects.get(key)?.body.equals(body), `${name}: ${key}`).toBe(true);
  await expectSame(at, storage, app);
}

function ltxBodies({ server }: S3Storage): [string, Buffer][] {
  return [...server.objects].filter(([key]) => key.endsWith(".ltx")).map(([key, { body }]) => [key, body]);
}

const published = (storage: S3Storage): number => ltxBodies(storage).length;

async function expectSame(at: Scene, { address, args, env }: S3Storage, app: Application): Promise<void> {
  const verify = await runWalrust(at, ["verify", "app", "-b", address, ...args], { env });
  expect(verify.code, verify.stdout + verify.stderr).toBe(0);
  const out = at.path("out.db");
  const restored = await runWalrust(at, ["restore", "app", "-o", out, "-b", address, ...args], { env });
  expect(restored.code, restored.stderr).toBe(0);
  expectRestored(out, contentOf(app));
}
