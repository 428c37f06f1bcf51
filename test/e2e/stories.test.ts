import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { type Child, spawnChild } from "../../src/bench/child.ts";
import { until } from "../../src/bench/until.ts";
import {
  type Application,
  addNotes,
  contentOf,
  expectRestored,
  openApplication,
} from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { headTxid, ltxFiles } from "../helpers/e2e/storage-folder.ts";
import { restored, syncOnce } from "../helpers/e2e/walrust.ts";

/* The stories of docs/guide.md: its commands and files, word for word, but that the storage is a folder of the test. */

const PROGRAM = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const guide = readFileSync(fileURLToPath(new URL("../../docs/guide.md", import.meta.url)), "utf8");

interface Block {
  readonly story: string;
  readonly file: string | undefined;
  readonly text: string;
}

const blocks: readonly Block[] = [
  ...guide.matchAll(/<!-- story: (\w+)(?:, file: ([\w.]+))? -->\n```\w+\n([\s\S]*?)```/g),
].map(([, story = "", file, text = ""]) => ({ story, file, text }));

/** The lines of a story's commands, and its file put in place. */
function told(at: Scene, story: string): readonly string[] {
  const own = blocks.filter((block) => block.story === story);
  for (const { file, text } of own) if (file) writeFileSync(at.path(file), here(at, text));
  return own
    .filter(({ file }) => file === undefined)
    .flatMap(({ text }) => here(at, text).trimEnd().split("\n"));
}

const here = (at: Scene, text: string) => text.replaceAll("file:///backups", at.address);

/** A line of the guide, as a shell runs it; `walrust` is ours, and serves no metrics on a port that others may have. */
function shell(at: Scene, line: string, env: Readonly<Record<string, string>> = {}): Child {
  const bin = at.path("bin");
  mkdirSync(bin, { recursive: true });
  const script = `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`;
  writeFileSync(`${bin}/walrust`, script, { mode: 0o755 });
  const child = spawnChild("/bin/sh", ["-c", line.startsWith("walrust watch") ? `exec ${line}` : line], {
    cwd: at.folder,
    env: { PATH: `${bin}:${process.env["PATH"]}`, HOME: at.folder, TMPDIR: at.folder, ...env },
  });
  onTestFinished(() => child.kill("SIGKILL"));
  return child;
}

async function run(at: Scene, line: string, env?: Readonly<Record<string, string>>) {
  const exit = await shell(at, line, env).exited;
  expect(exit.code, `${line}: ${exit.stderr}`).toBe(0);
  return exit;
}

async function end(watch: Child): Promise<void> {
  watch.kill("SIGTERM");
  const exit = await watch.exited;
  expect(exit.code, exit.stderr).toBe(0);
}

/** Row by row: a replica is in another journal mode, and so not the same byte for byte. */
function isCopy(path: string, app: Application): boolean {
  const sql = "SELECT id, hex(body) FROM notes ORDER BY id";
  const copy = new Database(path, { readonly: true, fileMustExist: true });
  try {
    return isDeepStrictEqual(copy.prepare(sql).all(), app.prepare(sql).all());
  } finally {
    copy.close();
  }
}

test("every story of the guide is told here", () => {
  expect([...new Set(blocks.map(({ story }) => story))].sort()).toEqual([
    "cron",
    "glob",
    "replica",
    "time",
    "upkeep",
  ]);
});

test("watch several databases with a pattern", async () => {
  const at = scene();
  mkdirSync(at.path("data"));
  const one = openApplication(at.path("data/one.db"));
  addNotes(openApplication(at.path("data/page-cache.db")));
  addNotes(one, 3);
  const [explain = "", watch = "", list = ""] = told(at, "glob");
  expect((await run(at, explain)).stdout).toContain(`${at.path("data/one.db")}  tenants/one`);
  const watching = shell(at, watch);
  await until("one is published", () => headTxid(at, "tenants/one") > 0n);
  const two = openApplication(at.path("data/two.db"));
  addNotes(two, 4);
  await until("a file that appeared is published", () => headTxid(at, "tenants/two") > 0n);
  await end(watching);
  expect((await run(at, list)).stdout).toMatch(/^DATABASE .*\ntenants\/one .*\ntenants\/two .*\n$/);
  expectRestored(await restored(at, "tenants/two"), contentOf(two));
}, 120_000);

test("restore to a time", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 3);
  await syncOnce(at, { databases: ["app.db"] });
  const then = { content: contentOf(app), time: new Date().toISOString() };
  await sleep(20); // a time of its own for what comes after
  addNotes(app, 3);
  await syncOnce(at, { databases: ["app.db"] });
  const [list = "", restore = ""] = told(at, "time");
  expect((await run(at, list)).stdout).toContain("snapshot");
  await run(at, restore, { THEN: then.time });
  expectRestored(at.path("app-then.db"), then.content);
});

test("test your backups in cron: silence while all is well, and a word with the exit code when it is not", async () => {
  const at = scene();
  for (const name of ["app.db", "other.db"]) {
    addNotes(openApplication(at.path(name)), 5);
    await syncOnce(at, { databases: [name] });
  }
  const [line = ""] = told(at, "cron");
  const well = await run(at, line);
  expect(well.stderr).toBe("");
  expect(well.stdout).toMatch(/app: ok;.*\n.*other: ok;/);
  const [file] = ltxFiles(at, "other");
  truncateSync(file?.file ?? "", 200);
  const found = await run(at, line);
  expect(found.stderr).toContain("walrust: exit code 5\n");
  expect(found.stdout).toContain("other: NOT OK");
});

test("a replica every five seconds", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 3);
  await syncOnce(at, { databases: ["app.db"] });
  const [line = ""] = told(at, "replica");
  const following = shell(at, `exec ${line}`);
  await until("the replica is there", () => isCopy(at.path("replica.db"), app));
  addNotes(app, 2);
  await syncOnce(at, { databases: ["app.db"] });
  await until("the replica follows", () => isCopy(at.path("replica.db"), app));
  following.kill("SIGTERM");
  expect((await following.exited).code).toBe(0);
}, 120_000);

test("verify daily, and compact after snapshots", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 3);
  const [watch = ""] = told(at, "upkeep");
  // the guide's file, but for how long a day, six hours, and the manifest's minute are
  const toml = readFileSync(at.path("walrust.toml"), "utf8");
  const hurried = toml.replace('"6h"', '"500ms"').replace('"1d"', '"1s"\nmanifest_interval = "500ms"');
  writeFileSync(at.path("walrust.toml"), hurried);
  const watching = shell(at, `${watch} --json`);
  const types = () => watching.lines.map((text) => JSON.parse(text).type as string);
  await until("it was validated", () => types().includes("validated"));
  const snapshots = () => types().filter((type) => type === "snapshot").length;
  for (let wanted = 2; wanted <= 4; wanted += 1) {
    addNotes(app, 1);
    await until(`snapshot ${wanted}`, () => snapshots() >= wanted);
  }
  await until("it was compacted", () => types().includes("compacted"));
  await end(watching);
  expectRestored(await restored(at, "app"), contentOf(app));
}, 180_000);
