import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { type Application, addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust, startWatch, type Watch } from "../helpers/e2e/walrust.ts";
import { Litestream, type Place, rowsOf } from "./helpers/litestream.ts";
import { type RealServer, startSeaweedFs } from "./helpers/servers.ts";

/** The real Litestream reads what walrust writes and goes on with it, and the other way round. */

let server: RealServer;
let bucketPrefixes = 0;

beforeAll(async () => {
  server = await startSeaweedFs();
});

afterAll(() => server?.close());

/** Servers, two programs and a machine that others use too. */
const SLOW = { limitMs: 60_000 };

type PlaceName = "a folder" | "SeaweedFS";

function placeIn(at: Scene, where: PlaceName): Place {
  if (where === "a folder") {
    return {
      address: at.address,
      args: [],
      env: {},
      replica: (name) => `path: ${at.storage}/${name}`,
    };
  }
  const prefix = `copies-${++bucketPrefixes}`;
  const { bucket, endpoint, accessKeyId, secretAccessKey } = server;
  return {
    address: `s3://${bucket}/${prefix}`,
    args: ["--endpoint", endpoint],
    env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: "us-east-1" },
    replica: (name) =>
      `type: s3, bucket: ${bucket}, path: ${prefix}/${name}, endpoint: "${endpoint}", force-path-style: true, region: us-east-1`,
  };
}

let outputs = 0;

/** Restores with walrust, and returns what it printed and the rows. */
async function restoredByWalrust(at: Scene, place: Place, name: string, args: readonly string[] = []) {
  const out = at.path(`by-walrust-${++outputs}.db`);
  const command = ["restore", name, "-o", out, "--bucket", place.address, ...place.args, "--json", ...args];
  const { code, stdout, stderr } = await runWalrust(at, command, { env: place.env });
  expect(code, `walrust restore said: ${stderr}`).toBe(0);
  return { document: JSON.parse(stdout), rows: rowsOf(out) };
}

async function restoredByLitestream(
  at: Scene,
  litestream: Litestream,
  name: string,
  args: readonly string[] = [],
) {
  const out = at.path(`by-litestream-${++outputs}.db`);
  const { code, stderr } = await litestream.restore(name, out, args);
  expect(code, `litestream restore said: ${stderr}`).toBe(0);
  return rowsOf(out);
}

/** Both programs give back what the application has. */
async function expectSame(at: Scene, place: Place, litestream: Litestream, app: Application, name = "app") {
  const rows = rowsOf(app.name);
  expect(rows.length).toBeGreaterThan(0);
  expect((await restoredByWalrust(at, place, name)).rows).toEqual(rows);
  expect(await restoredByLitestream(at, litestream, name)).toEqual(rows);
}

function watch(at: Scene, place: Place, databases = ["app.db"], args: readonly string[] = []): Watch {
  return startWatch(at, {
    databases,
    address: place.address,
    env: place.env,
    args: [...place.args, "--layout", "litestream", ...args],
  });
}

/** Does work, and waits until something of the database was published since. */
async function published(daemon: Watch, work: () => void, name = "app"): Promise<void> {
  const count = () => daemon.events("published").filter(({ database }) => database === name).length;
  const before = count();
  work();
  await until(`a publication of ${name}`, () => count() > before, SLOW);
}

/** Waits until Litestream's replica gives back all that the application has. */
async function untilReplicated(at: Scene, place: Place, app: Application, name = "app"): Promise<void> {
  await until(
    "Litestream has replicated everything",
    async () => {
      const { rows } = await restoredByWalrust(at, place, name);
      return JSON.stringify(rows) === JSON.stringify(rowsOf(app.name));
    },
    { ...SLOW, everyMs: 200 },
  );
}

describe.each(["a folder", "SeaweedFS"] as const)("in %s", (where) => {
  test("litestream restore takes what walrust writes: latest, after kill -9, VACUUM and snapshots, of several databases", async () => {
    const at = scene();
    const place = placeIn(at, where);
    const litestream = new Litestream(at, place, ["app", "other"]);
    const [app, other] = [
      openApplication(at.path("app.db")),
      openApplication(at.path("other.db"), { pageSize: 512 }),
    ];
    addNotes(app, 500, 200);
    addNotes(other, 50, 40);
    const databases = ["app.db", "other.db"];
    let daemon = watch(at, place, databases, ["--max-changes", "5"]);
    // what is written before its first snapshot is a part of that
    for (const name of ["app", "other"])
      await daemon.untilEvent("snapshot", { ...SLOW, matching: ({ database }) => database === name });
    for (let i = 0; i < 12; i += 1) {
      await published(daemon, () => {
        addNotes(app, 20, 100);
        addNotes(other, 3, 50);
      });
    }
    await daemon.kill();
    app.exec("DELETE FROM notes WHERE id % 3 = 0; VACUUM");
    addNotes(app, 7);
    daemon = watch(at, place, databases);
    await published(daemon, () => addNotes(app, 2));
    app.pragma("wal_checkpoint(TRUNCATE)");
    await published(daemon, () => addNotes(other, 5), "other");
    await daemon.drain();
    await expectSame(at, place, litestream, app);
    await expectSame(at, place, litestream, other, "other");
    const { document } = await restoredByWalrust(at, place, "app");
    expect(document.unproven_files, "what walrust wrote itself is proved").toBe(0);
  });

  test("a point in time means the same to both programs", async () => {
    const at = scene();
    const place = placeIn(at, where);
    const litestream = new Litestream(at, place, ["app"]);
    const app = openApplication(at.path("app.db"));
    const daemon = watch(at, place);
    await daemon.untilEvent("snapshot", SLOW);
    const points: { readonly time: string; readonly rows: readonly unknown[] }[] = [];
    for (let i = 0; i < 4; i += 1) {
      await published(daemon, () => addNotes(app, 10));
      // S3 tells times of objects in seconds, and Litestream asks for that of the last one
      await sleep(1100);
      points.push({ time: new Date().toISOString(), rows: rowsOf(app.name) });
      await sleep(50);
    }
    await published(daemon, () => addNotes(app, 1));
    await daemon.drain();
    for (const { time, rows } of points) {
      expect((await restoredByWalrust(at, place, "app", ["--point-in-time", time])).rows).toEqual(rows);
      expect(await restoredByLitestream(at, litestream, "app", ["-timestamp", time])).toEqual(rows);
    }
  });

  test("walrust reads what Litestream writes: restore, list, verify, replicate", async () => {
    const at = scene();
    const place = placeIn(at, where);
    const litestream = new Litestream(at, place, ["app"]);
    const app = openApplication(at.path("app.db"));
    addNotes(app, 300, 200);
    const daemon = litestream.replicate();
    for (let i = 0; i < 30; i += 1) {
      addNotes(app, 5);
      if (i === 15) app.exec("DELETE FROM notes WHERE id < 100; VACUUM");
      await sleep(200);
    }
    await untilReplicated(at, place, app);
    await litestream.stop(daemon);
    await expectSame(at, place, litestream, app);

    const common = ["--bucket", place.address, ...place.args, "--json"];
    const run = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await runWalrust(at, [...args, ...common], { env: place.env });
      expect(code, stderr).toBe(0);
      return JSON.parse(stdout.split("\n")[0] ?? "");
    };
    expect((await run("list")).databases).toMatchObject([{ name: "app", layout: "litestream" }]);
    const { points } = await run("list", "app");
    expect(points.length).toBeGreaterThan(3);
    expect((await run("verify", "app", "--restore")).databases).toMatchObject([{ ok: true, findings: [] }]);
    for (const { txid } of points) {
      const ours = await restoredByWalrust(at, place, "app", ["--txid", String(txid)]);
      const theirs = await restoredByLitestream(at, litestream, "app", [
        "-txid",
        txid.toString(16).padStart(16, "0"),
      ]);
      expect(ours.rows, `TXID ${txid}`).toEqual(theirs);
      expect(ours.document.unproven_files).toBe(ours.document.files);
    }

    const replica = at.path("replica.db");
    const args = ["replicate", `${place.address}/app`, "--local", replica, "--once", ...place.args];
    const { code, stderr } = await runWalrust(at, args, { env: place.env });
    expect(code, stderr).toBe(0);
    expect(rowsOf(replica)).toEqual(rowsOf(app.name));
  });

  test("Litestream goes on with a copy of walrust's, and walrust with that of Litestream's", async () => {
    const at = scene();
    const place = placeIn(at, where);
    const litestream = new Litestream(at, place, ["app"]);
    const app = openApplication(at.path("app.db"));
    addNotes(app, 200, 100);
    let daemon = watch(at, place);
    await daemon.untilEvent("snapshot", SLOW);
    for (let i = 0; i < 5; i += 1) await published(daemon, () => addNotes(app, 3));
    await daemon.drain();

    for (let turn = 0; turn < 2; turn += 1) {
      const other = litestream.replicate();
      for (let i = 0; i < 10; i += 1) {
        addNotes(app, 2);
        await sleep(200);
      }
      await untilReplicated(at, place, app);
      await litestream.stop(other);
      expect(other.lines.concat(other.stderr()).join("\n")).not.toMatch(/level=ERROR/);
      await expectSame(at, place, litestream, app);

      addNotes(app, 5);
      daemon = watch(at, place);
      const { txid } = await daemon.untilEvent("snapshot", SLOW);
      expect(txid, "a new chain, behind all that was there").toBeGreaterThan(6);
      for (let i = 0; i < 3; i += 1) await published(daemon, () => addNotes(app, 4));
      await daemon.kill();
      await expectSame(at, place, litestream, app);
    }
    const { code, stdout } = await runWalrust(
      at,
      ["verify", "app", "--bucket", place.address, ...place.args, "--json"],
      { env: place.env },
    );
    expect(JSON.parse(stdout).databases[0].findings).toEqual([]);
    expect(code).toBe(0);
  });
});
