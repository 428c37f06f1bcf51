import { readdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust } from "../helpers/e2e/walrust.ts";

const TOML = `
[s3]
bucket = "s3://copies/production"
endpoint = "https://account.r2.cloudflarestorage.com"
[sync]
snapshot_interval = "2h"
compact_after_snapshot = true
[encryption]
key_env = "BACKUP_KEY"
[[databases]]
path = "app.db"
wal_sync_interval = "5s"
[[databases]]
path = "tenants/*.db"
prefix = "tenants"
[[databases]]
path = "gone.db"
[[webhooks]]
url = "https://hooks.example/T0KEN?key=S3CRET"
secret = "S3CRET"
events = ["fenced"]
`;

function configured(): Scene {
  const at = scene();
  addNotes(openApplication(at.path("app.db")), 10, 3000);
  writeFileSync(at.path("walrust.toml"), TOML);
  return at;
}

/** A key is not even read: nothing but names of it is told. */
const env = { BACKUP_KEY: "S3CRET", AWS_ACCESS_KEY_ID: "S3CRET", AWS_SECRET_ACCESS_KEY: "S3CRET" };

test("sections for people: what happens, where it differs, what it may cost; no secrets", async () => {
  const at = configured();
  const before = readdirSync(at.folder);
  const { code, stdout, stderr } = await runWalrust(at, ["explain"], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const sections = stdout.split("\n\n").map((section) => section.split("\n")[0]);
  expect(sections).toEqual([
    `Configuration: ${at.path("walrust.toml")}`,
    "Storage",
    "Databases",
    "Overrides",
    "Snapshots",
    "Publishing",
    "Retention",
    "Compaction",
    "Upkeep",
    "Webhooks",
    "Metrics",
    "Estimate for a month of 30 days",
  ]);
  for (const line of [
    "  address: s3://copies/production",
    "  endpoint: https://account.r2.cloudflarestorage.com (region us-east-1)",
    "  provider: R2",
    "  encryption: on, with the key of the variable BACKUP_KEY",
    `  files that appear later are picked up: ${at.path("tenants/*.db")}`,
    `  ${at.path("app.db")}: wal_sync_interval = 5s instead of 1s (walrust.toml:12)`,
    "  every 2h, if something changed",
    "  at the start, if one is overdue",
    "  after each snapshot",
    "  https://hooks.example: fenced; signed",
    "  http://127.0.0.1:16767/metrics",
  ]) {
    expect(stdout.split("\n"), line).toContain(line);
  }
  expect(stdout).toMatch(/app\.db +app +\d[\d.]* kB +\d[\d.]* kB +WAL\n/);
  expect(stdout).toMatch(/gone\.db +gone +- +0 B +there is no such database\n/);
  expect(stdout).toMatch(/ {2}idle: no commit +0 +0 +0 +0 +0 B +/);
  expect(stdout).toMatch(/ {2}ceiling: all the time, .*\$\d+\.\d\d\n/);
  expect(stdout).toContain("list prices of Cloudflare R2 Standard as of 20");
  expect(stdout).not.toMatch(/S3CRET|T0KEN/);
  expect(readdirSync(at.folder), "nothing is made").toEqual(before);
});

test("the same as a document", async () => {
  const at = configured();
  const { code, stdout } = await runWalrust(at, ["explain", "--json"], { env });
  expect(code).toBe(0);
  expect(stdout).not.toMatch(/S3CRET|T0KEN/);
  const document = JSON.parse(stdout);
  expect(document).toMatchObject({
    file: at.path("walrust.toml"),
    storage: { url: "s3://copies/production", provider: "R2", encrypted: true, layout: "walrust" },
    databases: [
      {
        name: "app",
        page_size: 4096,
        problem: null,
        sync: { wal_sync_interval_ms: 5000, snapshot_interval_ms: 7_200_000 },
      },
      { name: "gone", size: null, problem: "DATABASE_NOT_FOUND" },
    ],
    patterns: [at.path("tenants/*.db")],
    overrides: [{ key: "wal_sync_interval", value: 5000, common: 1000, file: "walrust.toml", line: 12 }],
    webhooks: [{ origin: "https://hooks.example", events: ["fenced"], signed: true }],
  });
  const [idle, typical, ceiling] = document.estimate.rows;
  expect(idle).toMatchObject({ puts: 0, gets: 0, lists: 0, deletes: 0, uploaded: 0 });
  expect(typical.puts).toBeGreaterThan(0);
  expect(ceiling.cost).toBeGreaterThan(typical.cost);
});

test("the command line alone, off: what it turns off is said", async () => {
  const at = scene();
  writeFileSync(at.path("walrust.toml"), "[sync]\nsnapshot_interval = 0\n[metrics]\nenabled = false\n");
  const { code, stdout } = await runWalrust(at, ["explain", "new.db", "-b", at.address]);
  expect(code).toBe(0);
  for (const line of [
    "  provider: folder",
    "  encryption: off",
    "  none: all databases are treated alike",
    "  no others: every trigger is off",
    "  nothing is deleted by itself: neither compact_after_snapshot nor compact_interval is set",
    "  none",
    "  off",
    "  No costs: a folder, a server of one's own, or a provider whose prices walrust does not know.",
  ]) {
    expect(stdout.split("\n"), line).toContain(line);
  }
});

test("a configuration with a mistake: exit 2 with file and line", async () => {
  const at = scene();
  writeFileSync(at.path("new.toml"), '[sync]\nmax_change = 3\n[s3]\nbucket = "copies"\n');
  const { code, stdout, stderr } = await runWalrust(at, ["explain", "--config", "new.toml"]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("new.toml:2: sync.max_change: unknown key (did you mean max_changes?)");
});
