import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { expect, test } from "vitest";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { mountSmallDisk } from "../helpers/e2e/small-disk.ts";
import { restore, runWalrust, syncOnce } from "../helpers/e2e/walrust.ts";

test("an output that exists is refused and untouched, and --force replaces it with its stale log", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 20);
  await syncOnce(at, { databases: [at.path("app.db")] });
  const out = at.path("out.db");
  for (const suffix of ["", "-wal", "-shm", "-journal"]) writeFileSync(out + suffix, `stale${suffix}`);
  const refused = await restore(at, "app", out);
  expect(refused.code, refused.stderr).toBe(2);
  expect(refused.stderr).toContain("--force");
  expect(readFileSync(out, "utf8")).toBe("stale");
  expect(readFileSync(`${out}-wal`, "utf8")).toBe("stale-wal");
  const forced = await restore(at, "app", out, ["--force"]);
  expect(forced.code, forced.stderr).toBe(0);
  for (const suffix of ["-wal", "-shm", "-journal"]) expect(existsSync(out + suffix), suffix).toBe(false);
  expectRestored(out, contentOf(app));
});

test("a full disk while restoring: a clear message, no output, no remains, and the old output untouched", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 200, 10_000);
  await syncOnce(at, { databases: [at.path("app.db")] });
  const disk = mountSmallDisk(at, 1_000_000);
  const out = disk === undefined ? at.path("out.db") : `${disk}/out.db`;
  writeFileSync(out, "old");
  const before = readdirSync(dirname(out));
  const args = ["restore", "app", "-o", out, "--force", "--bucket", at.address];
  // Without a disk of its own, the limit on file sizes (in blocks of 512 bytes) stands in for one that is full.
  const under = disk === undefined ? ["sh", "-c", 'ulimit -f 1000; exec "$@"', "sh"] : [];
  const exit = await runWalrust(at, args, { under });
  expect(exit.code, exit.stderr).toBe(1);
  expect(exit.stderr).toContain(basename(out));
  expect(readFileSync(out, "utf8")).toBe("old");
  expect(readdirSync(dirname(out))).toEqual(before);
});
