import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { SECRET_ACCESS_KEY, s3Storage } from "../helpers/e2e/s3-storage.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { tree } from "../helpers/e2e/storage-folder.ts";
import { runWalrust, syncOnce } from "../helpers/e2e/walrust.ts";

interface Mistake {
  readonly what: string;
  readonly args: (at: Scene) => readonly string[];
  readonly exitCode: number;
  /** What the message must name. */
  readonly names: string | RegExp;
  readonly prepare?: (at: Scene) => void;
  readonly under?: readonly string[];
}

/** Root may read everything: as root, the program runs as nobody. */
const AS_NOBODY =
  process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];

const once = (at: Scene, ...databases: readonly string[]) => [
  ...["watch", ...databases.map(at.path), "--bucket", at.address, "--once"],
];

const MISTAKES: readonly Mistake[] = [
  { what: "a missing file", args: (at) => once(at, "gone.db"), exitCode: 3, names: "gone.db" },
  {
    what: "a folder",
    args: (at) => once(at, "folder.db"),
    exitCode: 3,
    names: "folder.db",
    prepare: (at) => mkdirSync(at.path("folder.db")),
  },
  {
    what: "a file that is not SQLite's",
    args: (at) => once(at, "text.db"),
    exitCode: 3,
    names: "text.db",
    prepare: (at) => writeFileSync(at.path("text.db"), "hello ".repeat(1000)),
  },
  {
    what: "a database that is not in WAL mode",
    args: (at) => once(at, "rollback.db"),
    exitCode: 3,
    names: /rollback\.db[\s\S]*WAL/,
    prepare: (at) => {
      const app = openApplication(at.path("rollback.db"));
      app.pragma("journal_mode = DELETE");
    },
  },
  {
    what: "a database without permission",
    args: (at) => once(at, "secret.db"),
    exitCode: 3,
    names: "secret.db",
    prepare: (at) => {
      const app = openApplication(at.path("secret.db"));
      addNotes(app, 1);
      app.close();
      chmodSync(at.path("secret.db"), 0);
      chmodSync(at.folder, 0o755);
    },
    under: AS_NOBODY,
  },
  {
    what: "an unknown key",
    args: () => ["watch", "--once"],
    exitCode: 2,
    names: /walrust\.toml[\s\S]*2[\s\S]*wal_sync_intervall/,
    prepare: (at) => writeFileSync(at.path("walrust.toml"), "[sync]\nwal_sync_intervall = 1\n"),
  },
  {
    what: "a bad duration",
    args: (at) => [...once(at, "app.db"), "--snapshot-interval", "5 bananas"],
    exitCode: 2,
    names: "5 bananas",
  },
  {
    what: "an unknown flag",
    args: (at) => [...once(at, "app.db"), "--frequently"],
    exitCode: 2,
    names: "--frequently",
  },
  { what: "no database", args: (at) => once(at), exitCode: 2, names: /database/i },
  {
    what: "an empty bucket",
    args: (at) => ["watch", at.path("app.db"), "--bucket", "", "--once"],
    exitCode: 2,
    names: /bucket/i,
  },
  {
    what: "a configuration file that is not there",
    args: (at) => [...once(at, "app.db"), "--config", "nowhere.toml"],
    exitCode: 2,
    names: "nowhere.toml",
  },
  {
    what: "a restore of nothing",
    args: (at) => ["restore", "nobody", "-o", at.path("out.db"), "--bucket", at.address],
    exitCode: 6,
    names: "nobody",
  },
];

for (const { what, args, exitCode, names, prepare, under } of MISTAKES) {
  test(`${what}: exit ${exitCode}, a message that names it, and nothing changed`, async () => {
    const at = scene();
    addNotes(openApplication(at.path("app.db")), 1);
    prepare?.(at);
    const before = tree(at.folder);
    const exit = await runWalrust(at, args(at), under === undefined ? {} : { under });
    expect(exit.code, exit.stderr).toBe(exitCode);
    expect(exit.stderr).toMatch(names);
    expect(exit.stderr, "no stack of ours").not.toMatch(/^\s+at /m);
    expect(tree(at.folder)).toEqual(before);
  });
}

test("a bucket that does not exist, a wrong key and an unreachable endpoint: exit 4 each, no secret in the message", async () => {
  const at = scene();
  const { server, address, args, env } = await s3Storage();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 1);
  const cases = [
    { bucket: "s3://nowhere", args, env, names: "nowhere" },
    {
      bucket: address,
      args,
      env: { ...env, AWS_SECRET_ACCESS_KEY: `wrong-${SECRET_ACCESS_KEY}` },
      names: /key|credential|sign/i,
    },
    { bucket: address, args, env: { ...env, AWS_ACCESS_KEY_ID: "unknown" }, names: /key|credential/i },
    { bucket: address, args: ["--endpoint", "http://127.0.0.1:1"], env, names: "127.0.0.1:1" },
  ];
  for (const { bucket, args, env, names } of cases) {
    const flags = ["--bucket", bucket, ...args];
    const runs = [
      ["watch", at.path("app.db"), "--once", "--max-retries", "1", ...flags],
      ["restore", "app", "-o", at.path("out.db"), ...flags],
      ["list", ...flags],
    ];
    for (const run of runs) {
      const exit = await runWalrust(at, run, { env });
      expect(exit.code, `${run.join(" ")}: ${exit.stderr}`).toBe(4);
      expect(exit.stderr, run.join(" ")).toMatch(names);
      expect(exit.stderr).not.toContain(SECRET_ACCESS_KEY);
    }
  }
  expect([...server.objects.keys()]).toEqual([]);
});

test("with --json an error is one document on stdout, with its code", async () => {
  const at = scene();
  const exit = await runWalrust(at, [
    "restore",
    "nobody",
    "-o",
    at.path("out.db"),
    "--bucket",
    at.address,
    "--json",
  ]);
  expect(exit.code).toBe(6);
  expect(JSON.parse(exit.stdout)).toMatchObject({ error: { code: "RESTORE_NOTHING", exit_code: 6 } });
});

test("watch does not touch what it cannot use: the user's files are the same afterwards", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 3);
  await syncOnce(at, { databases: [at.path("app.db")] });
  expect(app.prepare("SELECT count(*) FROM notes").pluck().get()).toBe(3);
  expect(app.prepare("SELECT group_concat(name) FROM sqlite_master").pluck().get()).toBe("notes");
  expect(app.pragma("user_version", { simple: true })).toBe(0);
});
