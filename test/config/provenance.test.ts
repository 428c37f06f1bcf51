import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { RETENTION_KEYS, SYNC_KEYS } from "../../src/config/keys.ts";
import { type ConfigSources, resolveWithProvenance } from "../../src/config/resolve.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

async function provenanceOf(toml: string | undefined, given: Partial<ConfigSources> = {}) {
  const cwd = tempFolder();
  if (toml !== undefined) writeFileSync(path.join(cwd, "walrust.toml"), toml);
  const sources = { flags: { s3: { bucket: "copies" } }, paths: [], env: {}, cwd, ...given };
  return { cwd, ...(await resolveWithProvenance(sources)).provenance };
}

describe("overrides of single databases", () => {
  test("each with its place, its value and what the others get", async () => {
    const { cwd, overrides, file } = await provenanceOf(
      '[sync]\nmax_changes = 5\n[[databases]]\npath = "a.db"\nwal_sync_interval = "5s"\nmax_changes = 5\n[[databases]]\npath = "t/*.db"\nhourly = 1\n',
    );
    expect(file).toBe(path.join(cwd, "walrust.toml"));
    expect(overrides).toEqual([
      {
        database: path.join(cwd, "a.db"),
        key: "wal_sync_interval",
        setting: "walSyncIntervalMs",
        value: 5000,
        common: 1000,
        location: {
          text: "walrust.toml:5: databases.wal_sync_interval",
          details: { file: "walrust.toml", line: 5, key: "databases.wal_sync_interval" },
        },
      },
      {
        ...{ database: path.join(cwd, "t/*.db"), key: "hourly", setting: "hourly", value: 1, common: 24 },
        location: {
          text: "walrust.toml:9: databases.hourly",
          details: { file: "walrust.toml", line: 9, key: "databases.hourly" },
        },
      },
    ]);
  });

  test("a flag wins over them: then nothing differs", async () => {
    const flags = { s3: { bucket: "copies" }, sync: { wal_sync_interval: "7s" } };
    const toml = '[[databases]]\npath = "a.db"\nwal_sync_interval = "5s"\n';
    expect(await provenanceOf(toml, { flags })).toMatchObject({
      overrides: [],
      sync: { walSyncIntervalMs: 7000 },
    });
  });

  test("of databases that are not among those of the command line: none", async () => {
    const toml = '[[databases]]\npath = "a.db"\nhourly = 5\n[[databases]]\npath = "b.db"\nhourly = 6\n';
    const { overrides } = await provenanceOf(toml, { paths: ["b.db"] });
    expect(overrides.map(({ value }) => value)).toEqual([6]);
  });

  test("every key of [sync] and [retention] is found", async () => {
    const values: Readonly<Record<string, string>> = {
      on_startup: "false",
      compact_after_snapshot: "true",
      observe: "true",
    };
    const keys = [...Object.keys(SYNC_KEYS), ...Object.keys(RETENTION_KEYS)];
    const lines = keys.map((key) => `${key} = ${values[key] ?? 77}`);
    const { overrides } = await provenanceOf(
      `[shadow]\ndir = "state"\n[[databases]]\npath = "a.db"\n${lines.join("\n")}\n`,
    );
    expect(overrides.map(({ key }) => key)).toEqual(keys);
  });

  test("no file: nothing to tell", async () => {
    expect(await provenanceOf(undefined)).toMatchObject({ file: undefined, overrides: [] });
  });
});
