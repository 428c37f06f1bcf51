import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { PRAGMAS, pragmaSql } from "../../src/cli/pragmas.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { runWalrust } from "../helpers/e2e/walrust.ts";

/** What SQLite answers, where it is not what was written. */
const ANSWERS: Readonly<Record<string, unknown>> = { WAL: "wal", NORMAL: 1 };

test.each([{ comments: true }, { comments: false }])(
  "with %j every statement works, and has its effect",
  (options) => {
    const db = new Database(scene().path("app.db"));
    onTestFinished(() => {
      db.close();
    });
    for (const { name, value } of PRAGMAS) {
      const answer = ANSWERS[value] ?? Number(value);
      if (name !== "wal_autocheckpoint" && name !== "busy_timeout")
        // those have these values by themselves
        expect(db.pragma(name, { simple: true }), `${name} before`).not.toBe(answer);
    }
    db.pragma("wal_autocheckpoint = 7");
    db.pragma("busy_timeout = 7");
    db.exec(pragmaSql(options));
    for (const { name, value } of PRAGMAS)
      expect(db.pragma(name, { simple: true }), name).toBe(ANSWERS[value] ?? Number(value));
  },
);

test("on stdout, with and without comments", async () => {
  const at = scene();
  const { code, stdout, stderr } = await runWalrust(at, ["pragma"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toBe(pragmaSql({ comments: true }));
  const bare = await runWalrust(at, ["pragma", "--comments", "false"]);
  expect(bare.stdout).toBe(
    "PRAGMA journal_mode = WAL;\nPRAGMA busy_timeout = 5000;\nPRAGMA synchronous = NORMAL;\nPRAGMA wal_autocheckpoint = 1000;\n",
  );
});

test("into a new file, and never over another one", async () => {
  const at = scene();
  const written = await runWalrust(at, ["pragma", "-o", "pragmas.sql"]);
  expect(written).toMatchObject({ code: 0, stdout: `wrote ${at.path("pragmas.sql")}\n` });
  expect(readFileSync(at.path("pragmas.sql"), "utf8")).toBe(pragmaSql({ comments: true }));
  writeFileSync(at.path("mine.sql"), "mine");
  const refused = await runWalrust(at, ["pragma", "-o", "mine.sql", "--json"]);
  expect(refused.code).toBe(2);
  expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: "OUTPUT_EXISTS" } });
  expect(readFileSync(at.path("mine.sql"), "utf8")).toBe("mine");
  const nowhere = await runWalrust(at, ["pragma", "-o", "no/such/folder.sql", "--json"]);
  expect(nowhere.code).toBe(1);
  expect(JSON.parse(nowhere.stdout)).toMatchObject({ error: { code: "LOCAL_IO" } });
  expect(existsSync(at.path("no"))).toBe(false);
  expect(readdirSync(at.folder).sort()).toEqual(["mine.sql", "pragmas.sql", "storage"]);
});

test("--json", async () => {
  const at = scene();
  const { code, stdout } = await runWalrust(at, ["pragma", "--json", "-o", "p.sql"]);
  expect(code).toBe(0);
  const { output, pragmas } = JSON.parse(stdout);
  expect(output).toBe(at.path("p.sql"));
  expect(pragmas.map(({ name, value }: { name: string; value: string }) => `${name}=${value}`)).toEqual(
    PRAGMAS.map(({ name, value }) => `${name}=${value}`),
  );
});
