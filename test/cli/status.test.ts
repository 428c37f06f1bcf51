import { rmSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust, startWalrust, startWatch, type Watch } from "../helpers/e2e/walrust.ts";

async function watched(...names: readonly string[]): Promise<{ at: Scene; watch: Watch }> {
  const at = scene();
  for (const name of names) addNotes(openApplication(at.path(`${name}.db`)), 3);
  const watch = startWatch(at, { databases: names.map((name) => `${name}.db`) });
  // a file is in storage a little before the daemon itself knows of it
  for (const name of names)
    await watch.untilEvent("snapshot", { matching: ({ database }) => database === name });
  return { at, watch };
}

const RFC3339 = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

test("all databases, as a table and as the document of docs/json.md", async () => {
  const { at, watch } = await watched("app", "other");
  const { code, stdout, stderr } = await runWalrust(at, ["status"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(
    new RegExp(
      `^process ${watch.child.pid}, up .*, to ${at.address}\nDATABASE +STATE +TXID +LAG +PENDING +PUBLISHED +SNAPSHOT +ERROR\n`,
    ),
  );
  expect(stdout).toMatch(/^app +serving +\d+ +0 +0 B +(just now|\d+s ago) +(just now|\d+s ago)$/m);
  const json = await runWalrust(at, ["status", "other", "--json"]);
  expect(JSON.parse(json.stdout)).toEqual({
    daemons: [
      {
        pid: watch.child.pid,
        version: expect.any(String),
        started: RFC3339,
        storage: at.address,
        databases: [
          {
            name: "other",
            path: at.path("other.db"),
            state: "serving",
            since: RFC3339,
            ready: true,
            captured_txid: expect.any(Number),
            published_txid: expect.any(Number),
            lag_ms: 0,
            pending: 0,
            wal_size: expect.any(Number),
            last_published: RFC3339,
            snapshot_txid: expect.any(Number),
            snapshot_taken: RFC3339,
            next_snapshot: null,
            error: null,
          },
        ],
      },
    ],
  });
});

test("a database by name or by path, and one that nobody watches", async () => {
  const { at } = await watched("app", "other");
  for (const wanted of ["app", "app.db", at.path("app.db")]) {
    const { stdout } = await runWalrust(at, ["status", wanted]);
    expect(stdout, wanted).toMatch(/^app /m);
    expect(stdout, wanted).not.toMatch(/^other /m);
  }
  const { code, stderr } = await runWalrust(at, ["status", "nobody"]);
  expect({ code, stderr }).toEqual({
    code: 3,
    stderr: expect.stringContaining("nobody is not watched by a running walrust"),
  });
});

test("what is wrong with a database is said", async () => {
  const { at, watch } = await watched("app", "bad");
  for (const suffix of ["", "-wal", "-shm"]) rmSync(at.path(`bad.db${suffix}`), { force: true });
  await watch.untilEvent("sync_failed", { matching: ({ database }) => database === "bad" });
  const row = await until("it is told", async () => {
    const { stdout } = await runWalrust(at, ["status", "bad"]);
    return /^bad +failed .*/m.exec(stdout)?.[0];
  });
  expect(row).toMatch(/DATABASE_NOT_FOUND: .*bad\.db/);
});

describe("no daemon", () => {
  test("exit 1, and what to do", async () => {
    const at = scene();
    const { code, stdout, stderr } = await runWalrust(at, ["status"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error: no walrust of this user is running on this machine\n.+\n$/);
    const json = await runWalrust(at, ["status", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: "NOT_RUNNING", exit_code: 1 } });
  });

  test("one that was killed is not taken for running", async () => {
    const { at, watch } = await watched("app");
    await watch.kill();
    expect((await runWalrust(at, ["status"])).code).toBe(1);
  });
});

test("--watch: again and again, a line each with --json; Ctrl-C ends it with 0", async () => {
  const { at, watch } = await watched("app");
  const text = startWalrust(at, ["status", "--watch"]);
  const json = startWalrust(at, ["status", "--watch", "--json"]);
  await until(
    "three looks",
    () => json.lines.length >= 3 && text.lines.filter((line) => line.startsWith("app ")).length >= 2,
  );
  expect(json.lines.map((line) => JSON.parse(line).daemons.length)).toEqual(json.lines.map(() => 1));
  await watch.drain();
  await until("its end is seen", () => text.lines.includes("no walrust is running"));
  expect(
    JSON.parse(await until("so it is in JSON", () => json.lines.find((line) => line.includes("[]")))),
  ).toEqual({ daemons: [] });
  for (const child of [text, json]) {
    child.kill("SIGINT");
    const { code, stderr } = await child.exited;
    expect(code).toBe(0);
    // a look may have come in the moment in which the daemon ended
    expect(stderr).toMatch(/^(warning: the running walrust does not answer\n)?$/);
  }
});
