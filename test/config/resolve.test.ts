import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_RETRY, DEFAULT_SYNC } from "../../src/config/defaults.ts";
import { RETRY_KEYS, S3_KEYS, SYNC_KEYS } from "../../src/config/keys.ts";
import { type ConfigSources, resolveSettings, resolveStorageSettings } from "../../src/config/resolve.ts";
import type { DatabaseSettings, Settings } from "../../src/config/settings.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "walrust-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text = ""): void {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Resolves `toml` as ./walrust.toml of the temporary folder. */
function resolve(toml: string, given: Partial<ConfigSources> = {}): Promise<Settings> {
  if (toml !== "") write("walrust.toml", toml);
  return resolveSettings({ flags: { s3: { bucket: "copies" } }, paths: [], env: {}, cwd: folder, ...given });
}

/** What `toml` says of the one database app.db, given below `[[databases]]` or above. */
async function database(toml: string, given: Partial<ConfigSources> = {}): Promise<DatabaseSettings> {
  const { databases } = await resolve(toml, given);
  expect(databases).toHaveLength(1);
  return databases[0] as DatabaseSettings;
}

const at = (name: string) => path.join(folder, name);

test("metrics, webhooks, compaction, encryption", async () => {
  const settings = await resolve(
    [
      '[[webhooks]]\nurl = "https://hooks.example/a"\nevents = ["fenced"]\nsecret = "s"',
      '[[webhooks]]\nurl = "http://127.0.0.1:1/b"',
      '[encryption]\nkey_file = "backup.key"',
      '[compaction]\nfine_window = "2h"\nstep = "5m"',
      '[metrics]\nport = 9000\nhost = "0.0.0.0"',
    ].join("\n"),
  );
  expect(settings).toMatchObject({
    webhooks: [
      { url: "https://hooks.example/a", events: ["fenced"], secret: "s" },
      { url: "http://127.0.0.1:1/b", events: [] },
    ],
    storage: { encryption: { kind: "file", path: at("backup.key") } },
    compaction: { fineWindowMs: 7_200_000, stepMs: 300_000 },
    metrics: { host: "0.0.0.0", port: 9000, isPortGiven: true },
  });
  expect((await resolve("[metrics]\nenabled = false")).metrics).toBeUndefined();
});

describe("precedence", () => {
  test("defaults", async () => {
    const settings = await resolve("");
    expect(settings).toEqual({
      storage: {
        url: "copies",
        region: "us-east-1",
        concurrency: 16,
        partSizeBytes: 5 * 1024 ** 2,
        layout: "walrust",
        retry: DEFAULT_RETRY,
      },
      databases: [],
      globs: [],
      daemon: { uploaderConcurrency: 16, shadowMaxSizeBytes: 5 * 1024 ** 3, once: false, takeOver: false },
      compaction: { fineWindowMs: 3_600_000, stepMs: 60_000 },
      metrics: { host: "127.0.0.1", port: 16_767, isPortGiven: false },
      webhooks: [],
      log: { level: "info", format: "text" },
    });
  });

  test("flag over environment over file", async () => {
    const toml = '[s3]\nbucket = "copies"\nendpoint = "http://file"\nregion = "file"\n[log]\nlevel = "warn"';
    const env = { AWS_ENDPOINT_URL_S3: "http://env", WALRUST_LOG: "debug" };
    const { storage, log } = await resolve(toml, { env, flags: { s3: { endpoint: "http://flag" } } });
    expect(storage).toMatchObject({ url: "copies", endpoint: "http://flag", region: "file" });
    expect(log.level).toBe("debug");
    const other = await resolve(toml, { env, flags: {} });
    expect(other.storage.endpoint).toBe("http://env");
  });

  test("a flag that was not given overrides nothing", async () => {
    const { sync } = await database('[sync]\nmax_changes = 7\n[[databases]]\npath = "app.db"', {
      flags: { s3: { bucket: "copies" }, sync: { max_changes: undefined } },
    });
    expect(sync.maxChanges).toBe(7);
  });

  test("flag over database over [sync]", async () => {
    const toml =
      '[sync]\nmax_changes = 1\non_idle = 1\n[[databases]]\npath = "app.db"\nmax_changes = 2\non_idle = 2';
    const flags = { s3: { bucket: "copies" }, sync: { max_changes: "3" } };
    expect((await database(toml, { flags })).sync).toMatchObject({ maxChanges: 3, onIdleMs: 2000 });
  });

  test("the poll floor follows the sync interval of its own database", async () => {
    const follow = await database(
      '[sync]\nwal_sync_interval = "5s"\n[[databases]]\npath = "a"\nwal_sync_interval = "9s"',
    );
    expect(follow.sync).toMatchObject({ walSyncIntervalMs: 9000, monitorIntervalMs: 9000 });
    const own = await database(
      '[sync]\nmonitor_interval = "2s"\n[[databases]]\npath = "a"\nwal_sync_interval = "9s"',
    );
    expect(own.sync).toMatchObject({ walSyncIntervalMs: 9000, monitorIntervalMs: 2000 });
  });

  test("settings cannot be changed", async () => {
    const settings = await resolve('[[databases]]\npath = "app.db"');
    expect(Object.isFrozen(settings) && Object.isFrozen(settings.databases[0]?.sync)).toBe(true);
  });
});

const SYNC_VALUES: Readonly<Record<string, readonly [toml: string, value: number | boolean]>> = {
  wal_sync_interval: ['"2s"', 2000],
  monitor_interval: ["0.25", 250],
  snapshot_interval: ['"2h"', 7_200_000],
  max_changes: ["12", 12],
  max_interval: ['"3d"', 259_200_000],
  on_idle: ['"90s"', 90_000],
  on_startup: ["false", false],
  checkpoint_interval: ["30", 30_000],
  min_checkpoint_page_count: ["77", 77],
  wal_truncate_threshold_pages: ["0", 0],
  validation_interval: ['"1d"', 86_400_000],
  compact_after_snapshot: ["true", true],
  compact_interval: ['"6h"', 21_600_000],
  manifest_interval: ['"5m"', 300_000],
  observe: ["true", true],
};

describe("every key of [sync]", () => {
  test("has a case here, and every setting has a key", () => {
    expect(Object.keys(SYNC_VALUES)).toEqual(Object.keys(SYNC_KEYS));
    expect(Object.values(SYNC_KEYS).map((row) => row.setting)).toEqual(
      expect.arrayContaining(Object.keys(DEFAULT_SYNC)),
    );
  });

  test.each(Object.entries(SYNC_VALUES))("%s for all databases, and for one", async (key, [text, value]) => {
    const setting = SYNC_KEYS[key]?.setting as string;
    const shadow = '[shadow]\ndir = "state"\n'; // what an observer needs
    const forAll = await database(`${shadow}[sync]\n${key} = ${text}\n[[databases]]\npath = "app.db"`);
    expect(forAll.sync).toHaveProperty(setting, value);
    const { databases } = await resolve(
      `${shadow}[[databases]]\npath = "app.db"\n${key} = ${text}\n[[databases]]\npath = "b.db"`,
    );
    expect(databases[0]?.sync).toHaveProperty(setting, value);
    expect(databases[1]?.sync).toEqual(DEFAULT_SYNC);
  });
});

describe("every key of [s3], [retry], [shadow], [log]", () => {
  const S3 = {
    bucket: ['"s3://copies/p"', "s3://copies/p"],
    endpoint: ['"http://127.0.0.1:9000"', "http://127.0.0.1:9000"],
    region: ['"auto"', "auto"],
    force_path_style: ["true", true],
    storage_class: ['"STANDARD_IA"', "STANDARD_IA"],
    sse: ['"aws:kms"', "aws:kms"],
    sse_kms_key_id: ['"k1"\nsse = "aws:kms"', "k1"],
    concurrency: ["4", 4],
    part_size: ['"16MiB"', 16 * 1024 ** 2],
    provider: ['"wasabi"', "wasabi"],
    layout: ['"litestream"', "litestream"],
  } as const;

  test.each(Object.entries(S3))("s3.%s", async (key, [text, value]) => {
    expect(Object.keys(S3)).toEqual(Object.keys(S3_KEYS));
    const bucket = key === "bucket" ? "" : 'bucket = "copies"\n';
    const { storage } = await resolve(`[s3]\n${bucket}${key} = ${text}`, { flags: {} });
    expect(storage).toHaveProperty(S3_KEYS[key]?.setting as string, value);
  });

  const RETRY = {
    max_retries: ["0", 0],
    base_delay_ms: ["50", 50],
    max_delay_ms: ["5000", 5000],
    circuit_breaker_enabled: ["false", false],
    circuit_breaker_threshold: ["3", 3],
    circuit_breaker_cooldown_ms: ["1000", 1000],
  } as const;

  test.each(Object.entries(RETRY))("retry.%s", async (key, [text, value]) => {
    expect(Object.keys(RETRY)).toEqual(Object.keys(RETRY_KEYS));
    const { storage } = await resolve(`[retry]\n${key} = ${text}`);
    expect(storage.retry).toHaveProperty(RETRY_KEYS[key]?.setting as string, value);
  });

  test("shadow, log, and the concurrency of the daemon", async () => {
    const toml =
      '[shadow]\ndir = "state"\nmax_size = "1GiB"\n[log]\nlevel = "trace"\nformat = "json"\n[s3]\nconcurrency = 3';
    const { daemon, log } = await resolve(toml);
    expect(daemon).toMatchObject({
      shadowDir: at("state"),
      shadowMaxSizeBytes: 1024 ** 3,
      uploaderConcurrency: 3,
    });
    expect(log).toEqual({ level: "trace", format: "json" });
  });
});

describe("databases", () => {
  test("names come from the prefix, else from the file", async () => {
    const toml =
      '[[databases]]\npath = "data/app.db"\n[[databases]]\npath = "/x/b.db.bak"\n[[databases]]\npath = "c"\nprefix = "/eu/c/"';
    const { databases } = await resolve(toml);
    expect(databases.map(({ path: file, name }) => [file, name])).toEqual([
      [at("data/app.db"), "app"],
      ["/x/b.db.bak", "b.db"],
      [at("c"), "eu/c"],
    ]);
  });

  test("paths start from the folder of the file, arguments from here", async () => {
    write("etc/w.toml", '[[databases]]\npath = "app.db"');
    const { databases } = await resolve("", { configPath: "etc/w.toml" });
    expect(databases[0]?.path).toBe(at("etc/app.db"));
    const given = await resolve("", { configPath: "etc/w.toml", paths: ["app.db"] });
    expect(given.databases[0]?.path).toBe(at("app.db"));
  });

  test("arguments replace the list, and keep what the file says of them", async () => {
    write("t/one.db");
    const toml =
      '[[databases]]\npath = "app.db"\nprefix = "shop"\nmax_changes = 9\n[[databases]]\npath = "t/*.db"\nprefix = "tenants"\n[[databases]]\npath = "other.db"';
    const { databases, globs } = await resolve(toml, { paths: ["app.db", "t/one.db", "new.db"] });
    expect(databases.map(({ name }) => name)).toEqual(["shop", "tenants/one", "new"]);
    expect(databases[0]?.sync.maxChanges).toBe(9);
    expect(globs).toEqual([]);
  });

  test("a pattern, as it stands in the file or as an argument", async () => {
    const toml =
      '[[databases]]\npath = "t/*.db"\nexclude = ["cache-*", "t/old.db"]\nprefix = "tenants"\nmax_changes = 4';
    const { globs } = await resolve(toml);
    expect(globs).toMatchObject([
      {
        pattern: at("t/*.db"),
        exclude: ["cache-*", at("t/old.db")],
        prefix: "tenants",
        sync: { maxChanges: 4 },
      },
    ]);
    const given = await resolve("", { paths: ["t/**/*.db"] });
    expect(given.globs).toMatchObject([{ pattern: at("t/**/*.db") }]);
  });

  test("a file whose name looks like a pattern is a file", async () => {
    write("data[1].db");
    const { databases, globs } = await resolve("", { paths: ["data[1].db"] });
    expect([databases.length, globs.length]).toEqual([1, 0]);
  });

  test("a database of its own is not also one of a pattern", async () => {
    write("t/big.db");
    const settings = await resolve(
      '[[databases]]\npath = "t/*.db"\n[[databases]]\npath = "t/big.db"\nmax_changes = 1',
    );
    expect(settings.databases.map(({ name }) => name)).toEqual(["big"]);
  });
});

describe("refused, each with key, file and line", () => {
  test.each([
    ["unknown section", "[synk]\nx = 1", "walrust.toml:1: synk: unknown key (did you mean sync?)"],
    [
      "unknown key",
      "[sync]\n\nmax_change = 1",
      "walrust.toml:3: sync.max_change: unknown key (did you mean max_changes?)",
    ],
    [
      "unknown key of a database",
      '[[databases]]\npath = "a"\ncolour = 1',
      "walrust.toml:3: databases.colour: unknown key",
    ],
    ["no path", "[[databases]]\nmax_changes = 1", "walrust.toml:1: databases.path: is missing"],
    [
      "wrong type",
      '[sync]\nmax_changes = "5"',
      'walrust.toml:2: sync.max_changes: expected a whole number from 0 to 2147483647, got "5"',
    ],
    ["not whole", "[sync]\nmax_changes = 1.5", "walrust.toml:2: sync.max_changes: expected a whole number"],
    [
      "not true or false",
      "[sync]\non_startup = 1",
      "walrust.toml:2: sync.on_startup: expected true or false, got 1",
    ],
    [
      "bad duration",
      '[sync]\nsnapshot_interval = "5 parsecs"',
      'walrust.toml:2: sync.snapshot_interval: "5 parsecs" is not a duration',
    ],
    [
      "bad duration of a database",
      '[[databases]]\npath = "a"\non_idle = "soon"',
      'walrust.toml:3: databases.on_idle: "soon" is not a duration',
    ],
    [
      "interval of 0",
      "[sync]\nwal_sync_interval = 0",
      "walrust.toml:2: sync.wal_sync_interval: 0 is too short: at least 1ms",
    ],
    ["bad size", '[shadow]\nmax_size = "big"', 'walrust.toml:2: shadow.max_size: "big" is not a size'],
    ["part too small", "[s3]\npart_size = 1024", "walrust.toml:2: s3.part_size: 1024 is not between"],
    ["section as a value", "sync = 1", "walrust.toml:1: sync: expected a table, got 1"],
    ["databases as a table", "[databases]\npath = 1", "walrust.toml:1: databases: expected [[databases]]"],
    [
      "bad choice",
      '[log]\nlevel = "loud"',
      'walrust.toml:2: log.level: expected one of error, warn, info, debug, trace, got "loud"',
    ],
    ["empty bucket", '[s3]\nbucket = ""', "walrust.toml:2: s3.bucket: must not be empty"],
    [
      "KMS key without KMS",
      '[s3]\nsse_kms_key_id = "k"',
      'walrust.toml:2: s3.sse_kms_key_id: needs sse = "aws:kms"',
    ],
    [
      "delays the wrong way round",
      "[retry]\nmax_delay_ms = 10",
      "walrust.toml:2: retry.max_delay_ms: the longest delay",
    ],
    [
      "same database twice",
      '[[databases]]\npath = "a.db"\n[[databases]]\npath = "./a.db"\nprefix = "b"',
      "walrust.toml:4: databases.path:",
    ],
    [
      "one prefix for two",
      '[[databases]]\npath = "a.db"\n[[databases]]\npath = "a.sqlite"',
      'would share the key prefix "a" (first: walrust.toml:2: databases.path)',
    ],
    [
      "a prefix that is no key",
      '[[databases]]\npath = "a.db"\nprefix = "../up"',
      'walrust.toml:2: databases.path: the key prefix "../up" cannot be used',
    ],
    [
      "exclude without a pattern",
      '[[databases]]\npath = "a.db"\nexclude = ["b"]',
      "walrust.toml:2: databases.path: exclude has a meaning only where the path is a pattern",
    ],
    ["duplicate key", "[sync]\non_idle = 1\non_idle = 2", "walrust.toml:3: not valid TOML"],
  ])("%s", async (_, toml, message) => {
    const error = { code: "CONFIG_INVALID", exitCode: 2, message: expect.stringContaining(message) };
    await expect(resolve(toml)).rejects.toMatchObject(error);
  });

  test.each([
    ["[retention]\nhourly = -1", "retention.hourly: expected a whole number"],
    ['[[webhooks]]\nurl = "x"', "webhooks.url: must be a URL"],
    ['[[webhooks]]\nurl = "http://x"\nevents = ["quiet"]', "webhooks.events: expected one of sync_failed"],
    ["[encryption]", "encryption: needs key_file, or key_env, and not both"],
    ['[encryption]\nkey_env = "K"\nkey_file = "k"', "encryption: needs key_file, or key_env, and not both"],
    [
      '[s3]\nlayout = "litestream"\n[encryption]\nkey_env = "K"',
      'walrust.toml:2: s3.layout: layout = "litestream" and [encryption] cannot be used together',
    ],
    ["[metrics]\nport = 70000", "metrics.port: expected a whole number"],
    ['[compaction]\nstep = "0"', 'compaction.step: "0" is too short'],
    ['[s3]\nprovider = "ibm"', "s3.provider: expected one of aws"],
    ['[s3]\nlayout = "tar"', "s3.layout: expected one of walrust, litestream"],
  ])("%s", async (toml, message) => {
    await expect(resolve(toml)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(message),
    });
  });

  test.each(["[sync]", ""])("an observer without a place for its local state (%s)", async (section) => {
    const toml = `${section}\n[[databases]]\npath = "a.db"\nobserve = true`;
    const asked = section === "" ? toml : '[sync]\nobserve = true\n[[databases]]\npath = "*.db"';
    await expect(resolve(asked)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("is only observed, and there is no place for its local state"),
      hint: expect.stringContaining("--shadow-dir"),
    });
  });

  test("all problems at once", async () => {
    await expect(resolve("[sync]\nmax_changes = -1\non_idle = -1")).rejects.toMatchObject({
      message: expect.stringMatching(/:2: sync\.max_changes: .*\nwalrust\.toml:3: sync\.on_idle: /),
      details: { file: "walrust.toml", line: 2, key: "sync.max_changes" },
    });
  });

  test("one file through two paths", async () => {
    write("a.db");
    symlinkSync(at("a.db"), at("b.db"));
    const toml = '[[databases]]\npath = "a.db"\n[[databases]]\npath = "b.db"';
    await expect(resolve(toml)).rejects.toMatchObject({ message: expect.stringContaining("is named twice") });
  });

  test("two matches of a pattern with one name", async () => {
    write("t/x/app.db");
    write("t/y/app.db");
    await expect(resolve('[[databases]]\npath = "t/*/app.db"')).rejects.toMatchObject({
      message: expect.stringContaining('would share the key prefix "app"'),
      hint: expect.stringContaining("prefix"),
    });
  });

  test.each([
    [{ sync: { snapshot_interval: "soon" } }, '--snapshot-interval: "soon" is not a duration'],
    [{ sync: { min_checkpoint_page_count: "-1" } }, "--min-checkpoint-pages: expected a whole number"],
    [{ sync: { wal_truncate_threshold_pages: "x" } }, "--wal-truncate-threshold: expected a whole number"],
    [{ s3: { concurrency: "0" } }, "--uploader-concurrency: expected a whole number from 1 to 1024, got 0"],
    [{ retry: { max_retries: "many" } }, "--max-retries: expected a whole number"],
    [{ shadow: { max_size: "1" } }, "--shadow-max-size: "],
    [{ s3: { bucket: "" } }, "--bucket: must not be empty"],
    [
      { s3: { bucket: "ftp://x" } },
      '--bucket: the storage address "ftp://x": only s3:// and file:// are known',
    ],
  ])("flags %j", async (flags, message) => {
    await expect(resolve("", { flags: { s3: { bucket: "copies" }, ...flags } })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(message),
    });
  });

  test("no storage", async () => {
    await expect(resolve("", { flags: {} })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: "no storage is given",
    });
  });

  test("a file that was named must be there, and be one", async () => {
    await expect(resolve("", { configPath: "no.toml" })).rejects.toMatchObject({
      code: "CONFIG_NOT_FOUND",
      exitCode: 2,
    });
    await expect(resolve("", { configPath: "." })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

test("without databases, what the file says of them is checked but not looked for", async () => {
  write(
    "walrust.toml",
    '[s3]\nbucket = "copies"\n[[databases]]\npath = "a.db"\n[[databases]]\npath = "a.sqlite"',
  );
  const settings = await resolveStorageSettings({ flags: {}, env: {}, cwd: folder });
  expect(settings).toMatchObject({ storage: { url: "copies" }, log: { level: "info" } });
  expect(settings).not.toHaveProperty("databases");
});
