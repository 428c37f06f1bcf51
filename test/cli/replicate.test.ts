import { readFileSync, statSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust, startWalrust, syncOnce } from "../helpers/e2e/walrust.ts";

/** A storage with the database `app` in it. */
async function copied(): Promise<Scene> {
  const at = scene();
  addNotes(openApplication(at.path("app.db")), 7);
  await syncOnce(at, { databases: ["app.db"] });
  return at;
}

const once = (at: Scene, ...args: readonly string[]) =>
  runWalrust(at, ["replicate", `${at.address}/app`, "--local", "replica.db", "--once", ...args]);

function notesIn(path: string): unknown {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare("SELECT count(*) FROM notes").pluck().get();
  } finally {
    db.close();
  }
}

const shapeOf = (line: string) => Object.keys(JSON.parse(line));

test("--once says what the replica is, to people and to machines, as docs/json.md shows", async () => {
  const at = await copied();
  const first = await once(at, "--json");
  expect(first).toMatchObject({ code: 0, stderr: "" });
  const [, shown = ""] =
    /## `replicate`[\s\S]*?```jsonl\n([\s\S]*?)\n```/.exec(readFileSync("docs/json.md", "utf8")) ?? [];
  expect(first.stdout.trimEnd().split("\n").map(shapeOf)).toEqual(shown.split("\n").map(shapeOf));
  expect(JSON.parse(first.stdout.split("\n")[1] ?? "")).toMatchObject({
    name: "app",
    path: at.path("replica.db"),
    txid: expect.any(Number),
  });
  const { code, stdout } = await once(at);
  expect({ code, stdout }).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/replica\.db is app at TXID \d+, as it was .* ago\n$/),
  });
  expect(statSync(at.path("replica.db")).mode & 0o777).toBe(0o444);
  expect(notesIn(at.path("replica.db"))).toBe(7);
});

test("what somebody wrote to it is undone, with exit 5", async () => {
  const at = await copied();
  await once(at);
  const intruder = new Database(at.path("replica.db"));
  intruder.exec("DELETE FROM notes");
  intruder.close();
  const { code, stdout, stderr } = await once(at, "--json");
  expect({ code, stderr }).toMatchObject({
    code: 5,
    stderr: expect.stringContaining("something else wrote to it"),
  });
  const [diverged, applied, error] = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect([diverged.type, applied.how, error.error.code]).toEqual([
    "replica_diverged",
    "bootstrap",
    "INTEGRITY_CHECKSUM",
  ]);
  expect(notesIn(at.path("replica.db"))).toBe(7);
});

test.each([
  ["a file that is no replica", ["replicate", "app", "--local", "app.db"], 2, "exists, and is no replica"],
  ["a database that is not there", ["replicate", "nobody", "--local", "r.db"], 6, 'no backup of "nobody"'],
  ["a folder that is not there", ["replicate", "app", "--local", "no/r.db"], 2, "does not exist"],
])("%s", async (_, args, code, message) => {
  const at = await copied();
  const exit = await runWalrust(at, [...args, "-b", at.address]);
  expect(exit).toMatchObject({ code, stderr: expect.stringContaining(message) });
});

test("SIGTERM ends it in order, and a second one on the same file is refused meanwhile", async () => {
  const at = await copied();
  const replica = startWalrust(at, ["replicate", "app", "--local", "replica.db", "-b", at.address, "--json"]);
  await until("the first copy", () => replica.lines.length > 0);
  expect(await once(at)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`process ${replica.pid}`),
  });
  replica.kill("SIGTERM");
  expect(await replica.exited).toMatchObject({ code: 0, stderr: "" });
  expect(await once(at)).toMatchObject({ code: 0 });
  writeFileSync(at.path("replica.db-replica-state"), "?");
  expect(await once(at)).toMatchObject({ code: 2, stderr: expect.stringContaining("cannot be read") });
});
