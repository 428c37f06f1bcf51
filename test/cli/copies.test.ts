import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust, startWatch, syncOnce } from "../helpers/e2e/walrust.ts";

/** A storage with the database `app` in it, three commits in two files or more. */
async function copied(): Promise<Scene> {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app);
  await syncOnce(at, { databases: ["app.db"] });
  addNotes(app);
  addNotes(app, 5, 2000);
  await syncOnce(at, { databases: ["app.db"] });
  return at;
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const from = (at: Scene) => ["-b", at.address];

async function json(at: Scene, args: readonly string[]) {
  const { code, stdout } = await runWalrust(at, [...args, ...from(at), "--json"]);
  return { code, document: JSON.parse(stdout) };
}

const ltxFiles = (at: Scene) =>
  readdirSync(path.join(at.storage, "app"))
    .filter((name) => name.endsWith(".ltx"))
    .sort();

describe("list", () => {
  test("the databases, as a table and as a document", async () => {
    const at = await copied();
    const { stdout } = await runWalrust(at, ["list", ...from(at)]);
    expect(stdout).toMatch(
      /^DATABASE +TXID +CHANGED +SNAPSHOT +TAKEN +FILES +SIZE\napp +\d+ +(just now|\d+s ago) /,
    );
    const { code, document } = await json(at, ["list"]);
    expect(code).toBe(0);
    expect(document).toEqual({
      storage: at.address,
      databases: [
        {
          name: "app",
          layout: "walrust",
          txid: expect.any(Number),
          last_modified: expect.stringMatching(RFC3339),
          snapshot_txid: expect.any(Number),
          snapshot_modified: expect.stringMatching(RFC3339),
          files: ltxFiles(at).length,
          size: ltxFiles(at).reduce(
            (sum, name) => sum + statSync(path.join(at.storage, "app", name)).size,
            0,
          ),
        },
      ],
    });
  });

  test("nothing there is said, and no error", async () => {
    const at = scene();
    expect(await runWalrust(at, ["list", ...from(at)])).toMatchObject({
      code: 0,
      stdout: `no databases in ${at.address}\n`,
    });
  });

  test("the restore points of one, and its files", async () => {
    const at = await copied();
    const { code, document } = await json(at, ["list", "app", "--files"]);
    expect(code).toBe(0);
    expect(Object.keys(document)).toEqual(["name", "head_txid", "points", "missing", "manifest", "files"]);
    expect(document.points.at(-1)).toEqual({
      txid: document.head_txid,
      timestamp: expect.stringMatching(RFC3339),
      is_snapshot: expect.any(Boolean),
      after_hole: false,
    });
    expect(document.files.map((file: { key: string }) => path.basename(file.key))).toEqual(ltxFiles(at));
    const points = await runWalrust(at, ["list", "app", ...from(at)]);
    expect(points.stdout).toMatch(/^ *TXID +TIME +AGE/);
    const files = await runWalrust(at, ["list", "app", "--files", ...from(at)]);
    expect(files.stdout).toMatch(/^FILE +KIND +SIZE +TIME +AGE\napp\/\d{8}-\d{8}\.ltx +snapshot /);
  });

  test("what is missing is said", async () => {
    const at = await copied();
    rmSync(path.join(at.storage, "app", ltxFiles(at).at(-1) as string));
    const { stdout } = await runWalrust(at, ["list", "app", ...from(at)]);
    expect(stdout).toMatch(
      /was published, and cannot be restored\nRun `walrust verify app` to see what it costs\.\n$/,
    );
  });
});

describe("restore", () => {
  test("says what it did, to people and to machines", async () => {
    const at = await copied();
    const { code, stdout } = await runWalrust(at, ["restore", "app", "-o", "out.db", ...from(at)]);
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^restored app to .*out\.db: TXID \d+ of .*Z \((just now|\d+s ago)\); .* kB, \d+ files?, in \d+/,
      ),
    });
    const { document } = await json(at, ["restore", "app", "-o", "out2.db"]);
    expect(document).toEqual({
      name: "app",
      path: at.path("out2.db"),
      txid: expect.any(Number),
      timestamp: expect.stringMatching(RFC3339),
      age_ms: expect.any(Number),
      match: "exact",
      head_txid: document.txid,
      manifest: "ok",
      size: statSync(at.path("out2.db")).size,
      page_size: 4096,
      checksum: expect.stringMatching(/^[0-9a-f]{16}$/),
      files: expect.any(Number),
      damaged: [],
      unproven_files: 0,
      files_without_body_checksum: 0,
      duration_ms: expect.any(Number),
    });
    const notes = new Database(at.path("out2.db")).prepare("SELECT count(*) FROM notes").pluck().get();
    expect(notes).toBe(7);
  });

  test("--dry-run shows the files and writes nothing", async () => {
    const at = await copied();
    const { code, document } = await json(at, ["restore", "app", "-o", "out.db", "--dry-run"]);
    expect(code).toBe(0);
    expect(Object.keys(document)).toEqual([
      "name",
      "txid",
      "timestamp",
      "match",
      "head_txid",
      "manifest",
      "size",
      "files",
    ]);
    expect(document.files[0]).toEqual({
      key: expect.stringMatching(/^app\/00000001-\d{8}\.ltx$/),
      min_txid: 1,
      max_txid: expect.any(Number),
      size: expect.any(Number),
      timestamp: expect.stringMatching(RFC3339),
      is_snapshot: true,
    });
    const text = await runWalrust(at, ["restore", "app", "-o", "out.db", "--dry-run", ...from(at)]);
    expect(text.stdout).toMatch(/^FILE +KIND +SIZE +TIME\n[\s\S]*\n\napp at TXID \d+ of /);
    expect(readdirSync(at.folder).filter((name) => name.includes("out.db"))).toEqual([]);
  });

  test("a time after the last commit is the latest state, and says so", async () => {
    const at = await copied();
    const { document } = await json(at, [
      "restore",
      "app",
      "-o",
      "o.db",
      "--point-in-time",
      "2999-01-01T00:00:00Z",
    ]);
    expect(document.match).toBe("after-last");
    const args = ["restore", "app", "-o", "o2.db", "--point-in-time", "2999-01-01T00:00:00Z"];
    const { stdout } = await runWalrust(at, [...args, ...from(at)]);
    expect(stdout).toContain("the database may have been idle");
  });

  test("an output that exists is left alone, unless --force", async () => {
    const at = await copied();
    writeFileSync(at.path("out.db"), "precious");
    const refused = await json(at, ["restore", "app", "-o", "out.db"]);
    expect(refused).toMatchObject({ code: 2, document: { error: { code: "OUTPUT_EXISTS" } } });
    expect(statSync(at.path("out.db")).size).toBe("precious".length);
    expect((await json(at, ["restore", "app", "-o", "out.db", "--force"])).code).toBe(0);
  });

  test.each([
    [["nobody"], 6, "RESTORE_NOTHING"],
    [["app", "--txid", "999"], 6, "RESTORE_UNREACHABLE"],
    [["app", "--point-in-time", "2001-01-01T00:00:00Z"], 6, "RESTORE_UNREACHABLE"],
  ])("%j: exit %d, %s", async (args, exitCode, code) => {
    const at = await copied();
    const { code: ended, document } = await json(at, ["restore", ...args, "-o", "out.db"]);
    expect({ ended, code: document.error.code }).toEqual({ ended: exitCode, code });
    expect(readdirSync(at.folder)).not.toContain("out.db");
  });
});

describe("verify", () => {
  test("a sound backup", async () => {
    const at = await copied();
    const { code, stdout } = await runWalrust(at, ["verify", "app", "--restore", ...from(at)]);
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^app: ok; \d+ files, .* read; \d+ restore points up to TXID \d+\n$/),
    });
    const { document } = await json(at, ["verify", "--all"]);
    expect(document).toEqual({
      storage: at.address,
      databases: [
        {
          name: "app",
          ok: true,
          findings: [],
          lost: [],
          restore_points: expect.any(Number),
          newest_restorable_txid: expect.any(Number),
          head_txid: document.databases[0].newest_restorable_txid,
          has_manifest: true,
          manifest: "ok",
          fix: null,
          files: ltxFiles(at).length,
          size: expect.any(Number),
          restore_error: null,
        },
      ],
    });
  });

  test("a damaged one: exit 5, the object, and what it costs", async () => {
    const at = await copied();
    const last = ltxFiles(at).at(-1) as string;
    rmSync(path.join(at.storage, "app", last));
    const { code, stdout } = await runWalrust(at, ["verify", "app", "--restore", ...from(at)]);
    expect(code).toBe(5);
    expect(stdout).toMatch(new RegExp(`^app: NOT OK; [\\s\\S]*app/${last}: .*; lost: TXID \\d+`));
    expect(stdout).toContain("a restore of it fails: ");
    const { document } = await json(at, ["verify", "app"]);
    expect(document.databases[0]).toMatchObject({
      ok: false,
      findings: [{ kind: "missing", code: "INTEGRITY_MISSING", object: `app/${last}` }],
    });
  });
});

test("docs/json.md shows the documents as they are", async () => {
  const blocks = [...readFileSync("docs/json.md", "utf8").matchAll(/```json\n([\s\S]*?)```/g)];
  const shown = blocks.flatMap(([, text = ""]) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => keysOf(JSON.parse(line))),
  );
  const at = await copied();
  const documents = [
    await json(at, ["restore", "nobody", "-o", "out.db"]),
    await json(at, ["restore", "app", "-o", "out.db"]),
    await json(at, ["list"]),
    await json(at, ["list", "app"]),
    await json(at, ["verify", "app"]),
    await json(at, ["snapshot", "app.db"]),
    await statusOf(at),
    await json(at, ["explain", "app.db"]),
    await json(at, ["pragma"]),
    await benchOf(at),
  ];
  expect(shown).toEqual(documents.map(({ document }) => keysOf(document)));
});

/** A short `bench`, which takes no storage. Whether its goals are missed is the machine's affair. */
async function benchOf(at: Scene) {
  const { stdout } = await runWalrust(at, ["bench", "latency", "--runs", "1", "--commits", "1", "--json"]);
  return { document: { ...JSON.parse(stdout), missed: [] } };
}

/** `status` of a daemon that watches the database of a scene. */
async function statusOf(at: Scene) {
  const watch = startWatch(at, { databases: ["app.db"] });
  await watch.untilEvent("opened");
  const status = await json(at, ["status"]);
  await watch.drain();
  return status;
}

/** The keys of a document in their order, and those of the first element of each list. */
function keysOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(keysOf);
  if (typeof value !== "object" || value === null) return "";
  return Object.entries(value).map(([key, inner]) => [key, keysOf(inner)]);
}
