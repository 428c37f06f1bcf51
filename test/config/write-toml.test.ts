import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { DEFAULT_RETRY, DEFAULT_SYNC } from "../../src/config/defaults.ts";
import { resolveSettings } from "../../src/config/resolve.ts";
import { writeToml } from "../../src/config/write-toml.ts";

test("what is written means the same when it is read", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "walrust-toml-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const storage = {
    endpoint: "http://127.0.0.1:9000",
    region: "auto",
    forcePathStyle: true,
    concurrency: 3,
    partSizeBytes: 16 * 1024 ** 2,
    layout: "litestream" as const,
  };
  const retry = { ...DEFAULT_RETRY, baseDelayMs: 7, circuitBreakerEnabled: false };
  const sync = {
    ...DEFAULT_SYNC,
    walSyncIntervalMs: 250,
    monitorIntervalMs: 50,
    onIdleMs: 1500,
    maxChanges: 9,
  };
  const text = writeToml({
    url: "s3://copies/a b",
    storage: { ...storage, retry },
    sync,
    databases: [{ path: '/d/"quotes" \\ and \u007f\u00e9/app.db' }, { path: "/d/*.db", prefix: "tenants" }],
  });
  writeFileSync(path.join(folder, "walrust.toml"), text);
  const settings = await resolveSettings({ flags: {}, paths: [], env: {}, cwd: folder });
  expect(settings.storage).toEqual({ url: "s3://copies/a b", ...storage, retry });
  expect(settings.databases).toMatchObject([{ path: '/d/"quotes" \\ and \u007f\u00e9/app.db', sync }]);
  expect(settings.globs).toMatchObject([{ pattern: "/d/*.db", prefix: "tenants", sync }]);
});

test.each([
  { kind: "file", path: "/etc/walrust/backup.key" },
  { kind: "env", variable: "BACKUP_KEY" },
] as const)("where the key is: %j", async (encryption) => {
  const folder = mkdtempSync(path.join(tmpdir(), "walrust-toml-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const text = writeToml({ url: "copies", storage: { encryption }, sync: {}, databases: [] });
  writeFileSync(path.join(folder, "walrust.toml"), text);
  const { storage } = await resolveSettings({ flags: {}, paths: [], env: {}, cwd: folder });
  expect(storage.encryption).toEqual(encryption);
});

test("what is not given is not written", () => {
  expect(writeToml({ url: "copies", storage: {}, sync: {}, databases: [] })).toBe(
    '[s3]\nbucket = "copies"\n[sync]\n[retry]\n',
  );
});
