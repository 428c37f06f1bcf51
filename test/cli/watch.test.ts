import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { restored, runWalrust, startWalrust, startWatch } from "../helpers/e2e/walrust.ts";

const from = (at: Scene) => ["-b", at.address];
const notesIn = (file: string) =>
  new Database(file, { readonly: true }).prepare("SELECT count(*) FROM notes").pluck().get();

describe("watch", () => {
  test("--json: one object a line on stdout, nothing on stderr", async () => {
    const at = scene();
    const app = openApplication(at.path("app.db"));
    addNotes(app);
    const watch = startWatch(at, { databases: ["app.db"] });
    await watch.untilEvent("snapshot");
    addNotes(app);
    await watch.untilEvent("published");
    await watch.drain();
    const { stdout, stderr } = await watch.child.exited;
    expect(stderr).toBe("");
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["opened", "snapshot", "published", "closed"]),
    );
    for (const line of lines) {
      expect(Object.keys(line).slice(0, 3)).toEqual(["time", "type", "database"]);
      expect(line).toMatchObject({ time: expect.stringMatching(/^\d{4}-.*Z$/), database: "app" });
    }
    expect(lines.find(({ type }) => type === "published")).toEqual({
      time: expect.any(String),
      type: "published",
      database: "app",
      file: expect.stringMatching(/\.ltx$/),
      min_txid: expect.any(Number),
      max_txid: expect.any(Number),
      pages: expect.any(Number),
      size: expect.any(Number),
      lag_ms: expect.any(Number),
    });
  });

  test("without it, a log for people on stderr, and as JSON where the file says so", async () => {
    const at = scene();
    addNotes(openApplication(at.path("app.db")));
    const text = await runWalrust(at, ["watch", "app.db", "--once", ...from(at)]);
    expect(text).toMatchObject({ code: 0, stdout: "" });
    expect(text.stderr).toMatch(
      /^\S+Z INFO {2}app: watching .*app\.db .*\n\S+Z INFO {2}app: snapshot at TXID \d+/,
    );
    writeFileSync(at.path("walrust.toml"), '[log]\nformat = "json"\n');
    const json = await runWalrust(at, ["watch", "app.db", "--once", ...from(at)], {
      env: { WALRUST_LOG: "debug" },
    });
    const [first] = json.stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(first).toMatchObject({ level: "info", type: "opened", database: "app" });
  });

  test("the configuration alone", async () => {
    const at = scene();
    addNotes(openApplication(at.path("one.db")));
    addNotes(openApplication(at.path("two.db")), 2);
    writeFileSync(
      at.path("walrust.toml"),
      `[s3]\nbucket = "${at.address}"\n[[databases]]\npath = "one.db"\nprefix = "eu/one"\n[[databases]]\npath = "t*.db"\nprefix = "us"\n`,
    );
    expect(await runWalrust(at, ["watch", "--once"])).toMatchObject({ code: 0 });
    expect(notesIn(await restored(at, "eu/one"))).toBe(1);
    expect(notesIn(await restored(at, "us/two"))).toBe(2);
  });

  test("two databases with one name: exit 2, before anything is written", async () => {
    const at = scene();
    const { code, stderr } = await runWalrust(at, ["watch", "app.db", "app.sqlite", ...from(at)]);
    expect(code).toBe(2);
    expect(stderr).toContain('would share the key prefix "app"');
  });
});

describe("watch --exec", () => {
  const writer =
    "const D = require(process.env.SQLITE); const d = new D('app.db'); d.exec('INSERT INTO notes (body) VALUES (1)');";
  const env = { SQLITE: createRequire(import.meta.url).resolve("better-sqlite3") };

  test("ends with the application's exit code, after its last commit is published", async () => {
    const at = scene();
    addNotes(openApplication(at.path("app.db")));
    writeFileSync(at.path("app.cjs"), `${writer} d.close(); process.exit(7);`);
    const { code } = await runWalrust(at, ["watch", "app.db", "--exec", "node app.cjs", ...from(at)], {
      env,
    });
    expect(code).toBe(7);
    expect(notesIn(await restored(at, "app"))).toBe(2);
  });

  test("SIGTERM reaches the application, which ends first", async () => {
    const at = scene();
    addNotes(openApplication(at.path("app.db")));
    const onTerm = `process.on('SIGTERM', () => { ${writer} process.exit(0); });`;
    writeFileSync(
      at.path("app.cjs"),
      `${onTerm} require('fs').writeFileSync('up', ''); setInterval(() => {}, 1000);`,
    );
    const child = startWalrust(at, ["watch", "app.db", "--exec", "node app.cjs; exit $?", ...from(at)], {
      env,
    });
    await until("the application is up", () => existsSync(at.path("up")));
    child.kill("SIGTERM");
    expect(await child.exited).toMatchObject({ code: 0 });
    expect(notesIn(await restored(at, "app"))).toBe(2);
  });

  test("an application that cannot be protected is ended", async () => {
    const at = scene();
    const command = "echo $$ > pid && mv pid begun; exec sleep 600";
    const { code } = await runWalrust(at, ["watch", "gone.db", "--exec", command, ...from(at)]);
    expect(code).toBe(3);
    // it may have been ended before it began
    const pid = existsSync(at.path("begun")) ? Number(readFileSync(at.path("begun"), "utf8")) : undefined;
    if (pid !== undefined) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });
});
