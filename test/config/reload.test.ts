import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { ENCRYPTION_KEYS, METRICS_KEYS, RETRY_KEYS, S3_KEYS, SHADOW_KEYS } from "../../src/config/keys.ts";
import { reloaded } from "../../src/config/reload.ts";
import { resolveSettings } from "../../src/config/resolve.ts";
import type { Settings } from "../../src/config/settings.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const cwd = () => tempFolder();

async function settingsOf(toml: string, folder: string): Promise<Settings> {
  writeFileSync(path.join(folder, "walrust.toml"), toml);
  return resolveSettings({ flags: {}, paths: [], env: {}, cwd: folder });
}

const START = '[s3]\nbucket = "copies"\n';

/** A value for each key that is none of the defaults. */
const OTHER: Readonly<Record<string, string>> = {
  bucket: '"others"',
  endpoint: '"http://127.0.0.1:1"',
  region: '"eu"',
  force_path_style: "true",
  storage_class: '"STANDARD_IA"',
  sse: '"AES256"',
  concurrency: "3",
  part_size: '"9MiB"',
  provider: '"minio"',
  layout: '"litestream"',
  max_retries: "1",
  base_delay_ms: "7",
  max_delay_ms: "7000",
  circuit_breaker_enabled: "false",
  circuit_breaker_threshold: "3",
  circuit_breaker_cooldown_ms: "5",
  dir: '"/elsewhere"',
  max_size: '"1GiB"',
  port: "9999",
  host: '"0.0.0.0"',
  enabled: "false",
  key_file: '"key"',
  key_env: '"KEY"',
};

/** The keys that only the next start takes up, with what a file says of one of them beside START. */
const WAITING = [
  ...Object.keys(S3_KEYS)
    .filter((key) => key !== "sse_kms_key_id")
    .map((key) => ["s3", key] as const),
  ...Object.keys(RETRY_KEYS).map((key) => ["retry", key] as const),
  ...Object.keys(SHADOW_KEYS).map((key) => ["shadow", key] as const),
  ...Object.keys(METRICS_KEYS).map((key) => ["metrics", key] as const),
  ...Object.keys(ENCRYPTION_KEYS).map((key) => ["encryption", key] as const),
];

describe("what waits for the next start", () => {
  test.each(WAITING)("[%s] %s: is named, and stays as it was", async (section, key) => {
    const folder = cwd();
    const start = await settingsOf(START, folder);
    const line = `${key} = ${OTHER[key]}`;
    const toml =
      section !== "s3"
        ? `${START}[${section}]\n${line}\n`
        : key === "bucket"
          ? `[s3]\n${line}\n`
          : `${START}${line}\n`;
    const { settings, waiting } = reloaded(start, await settingsOf(toml, folder));
    expect(waiting).toEqual([section === "encryption" ? "encryption.key_file/key_env" : `${section}.${key}`]);
    expect(settings).toEqual(start);
  });

  test("the format of the log; its level is taken up", async () => {
    const folder = cwd();
    const start = await settingsOf(START, folder);
    const next = await settingsOf(`${START}[log]\nlevel = "debug"\nformat = "json"\n`, folder);
    const { settings, waiting } = reloaded(start, next);
    expect(waiting).toEqual(["log.format"]);
    expect(settings.log).toEqual({ level: "debug", format: "text" });
  });
});

test("databases, patterns, compaction and webhooks are taken up", async () => {
  const folder = cwd();
  const start = await settingsOf(START, folder);
  const next = await settingsOf(
    `${START}[sync]\non_idle = 5\n[compaction]\nstep = "5m"\n[[databases]]\npath = "a.db"\nhourly = 3\n[[databases]]\npath = "*.sqlite"\n[[webhooks]]\nurl = "http://h/"\n`,
    folder,
  );
  const { settings, waiting } = reloaded(start, next);
  expect(waiting).toEqual([]);
  expect(settings).toEqual(next);
});

test("nothing new: nothing waits", async () => {
  const folder = cwd();
  const start = await settingsOf(START, folder);
  expect(reloaded(start, await settingsOf(START, folder))).toEqual({ settings: start, waiting: [] });
});
