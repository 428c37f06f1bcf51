import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import {
  type Application,
  addNotes,
  contentOf,
  expectRestored,
  openApplication,
} from "../helpers/e2e/application.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { headTxid, ltxFiles } from "../helpers/e2e/storage-folder.ts";
import { restore, restored, runWalrust, startWatch, type Watch } from "../helpers/e2e/walrust.ts";

interface Point {
  readonly txid: bigint;
  readonly content: Buffer;
  /** A moment after its commit was published and before the next one. */
  readonly afterMs: number;
}

/** LTX times have milliseconds: this far apart, each commit has one of its own. */
const TICK_MS = 5;

test("every restore point, by TXID and by time, through two snapshots and a shrinking database", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 50, 500);
  const watch = startWatch(at, { databases: [at.path("app.db")], syncInterval: "20ms" });
  const points: Point[] = [await nextPoint(watch, app, 0n)];
  const commit = async (work: () => void) => {
    work();
    points.push(await nextPoint(watch, app, points.at(-1)?.txid ?? 0n));
  };
  for (let i = 0; i < 3; i++) await commit(() => addNotes(app, 20, 500));
  await commit(() => app.exec("DELETE FROM notes WHERE id > 10"));
  await commit(() => app.exec("VACUUM"));
  // else the snapshot would be the way to the point at which the database shrank (pitfall 41)
  await commit(() => addNotes(app, 1));
  const snapshot = await runWalrust(at, ["snapshot", at.path("app.db"), "--bucket", at.address]);
  expect(snapshot.code, snapshot.stderr).toBe(0);
  for (let i = 0; i < 3; i++) await commit(() => addNotes(app, 20, 500));
  await watch.drain();

  expect(ltxFiles(at, "app").filter(({ minTxid }) => minTxid === 1n).length).toBe(2);
  expect(points.map(({ txid }) => txid)).toEqual(
    points.map((_, index) => (points[0]?.txid ?? 0n) + BigInt(index)),
  );
  for (const { txid, content, afterMs } of points) {
    const byTxid = await restored(at, "app", ["--txid", String(txid)]);
    expectRestored(byTxid, content);
    const byTime = await restored(at, "app", ["--point-in-time", new Date(afterMs).toISOString()]);
    expectRestored(byTime, content);
  }
  expectRestored(await restored(at, "app"), contentOf(app));
}, 120_000);

test("points that storage does not hold: exit 6, a message with the nearest, and no output", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  const beforeAllMs = Date.now() - 60_000;
  addNotes(app, 5);
  const watch = startWatch(at, { databases: [at.path("app.db")], syncInterval: "1h" });
  const first = await watch.untilPublished("app");
  for (let commit = 0; commit < 4; commit++) addNotes(app, 1);
  await watch.drain();
  const head = headTxid(at, "app");
  expect(head).toBe(first + 4n);
  const unreachable: readonly (readonly [args: readonly string[], says: string])[] = [
    [["--txid", String(first + 2n)], String(first)],
    [["--txid", String(head + 1n)], String(head)],
    [["--txid", String(head + 1_000_000_000_000n)], String(head)],
    [["--point-in-time", new Date(beforeAllMs).toISOString()], String(new Date().getUTCFullYear())],
  ];
  const out = at.path("out.db");
  for (const [args, says] of unreachable) {
    const exit = await restore(at, "app", out, args);
    expect(exit.code, `${args}: ${exit.stderr}`).toBe(6);
    expect(exit.stderr, String(args)).toContain(says);
    expect(existsSync(out), String(args)).toBe(false);
  }
  const nothing = await restore(at, "nobody", out);
  expect(nothing.code, nothing.stderr).toBe(6);
  expect(existsSync(out)).toBe(false);
  const inTheFuture = await restored(at, "app", [
    "--point-in-time",
    new Date(Date.now() + 60_000).toISOString(),
  ]);
  expectRestored(inTheFuture, contentOf(app));
});

async function nextPoint(watch: Watch, app: Application, above: bigint): Promise<Point> {
  const txid = await watch.untilPublished("app", above);
  const content = contentOf(app);
  await sleep(TICK_MS);
  const afterMs = Date.now();
  await sleep(TICK_MS);
  return { txid, content, afterMs };
}
