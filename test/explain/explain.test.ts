import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { type ConfigSources, resolveSettings } from "../../src/config/resolve.ts";
import { explain } from "../../src/explain/explain.ts";
import { PRICES } from "../../src/explain/prices.ts";
import { providerOf } from "../../src/storage/provider.ts";
import { insert, openApp, tempFolder } from "../helpers/sqlite/temp-database.ts";

async function explained(paths: readonly string[], s3: ConfigSources["flags"]["s3"], cwd = tempFolder()) {
  return explain(await resolveSettings({ flags: { s3: { ...s3 } }, paths, env: {}, cwd }), []);
}

describe("databases", () => {
  test("size, page size, log, and what is wrong with them", async () => {
    const folder = tempFolder();
    const app = openApp(path.join(folder, "app.db"));
    app.pragma("page_size = 8192");
    app.pragma("journal_mode = WAL");
    app.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)");
    insert(app, 3);
    const rollback = openApp(path.join(folder, "rollback.db"));
    rollback.pragma("journal_mode = DELETE");
    rollback.exec("CREATE TABLE IF NOT EXISTS t(x)");
    writeFileSync(path.join(folder, "text.db"), "no database, whatever its name says".repeat(10));
    mkdirSync(path.join(folder, "folder.db"));
    const names = ["app.db", "rollback.db", "text.db", "folder.db", "gone.db"];
    const { databases } = await explained(names, { bucket: "copies" }, folder);
    expect(databases.map(({ pageSizeBytes, problem }) => [pageSizeBytes, problem?.code])).toEqual([
      [8192, undefined],
      [undefined, "DATABASE_NOT_WAL"],
      [undefined, "DATABASE_NOT_SQLITE"],
      [undefined, "DATABASE_UNREADABLE"],
      [undefined, "DATABASE_NOT_FOUND"],
    ]);
    const [first, , text, , gone] = databases;
    expect(first?.walSizeBytes).toBeGreaterThan(8192);
    expect(text?.sizeBytes).toBe(350);
    expect(gone?.sizeBytes).toBeUndefined();
  });
});

describe("storage", () => {
  test.each([
    [{ bucket: "copies" }, "AWS", true, "https://s3.us-east-1.amazonaws.com"],
    [
      { bucket: "copies", endpoint: "https://s3.eu.backblazeb2.com" },
      "B2",
      false,
      "https://s3.eu.backblazeb2.com",
    ],
    [{ bucket: "copies", endpoint: "http://127.0.0.1:1" }, "self-hosted", true, "http://127.0.0.1:1"],
    [{ bucket: "file:///backups" }, "folder", true, undefined],
  ])("%j", async (s3, provider, conditionalPut, endpoint) => {
    const { storage, estimate } = await explained([], s3);
    expect(storage).toMatchObject({ provider, conditionalPut, endpoint });
    expect(storage.quirks.length).toBeGreaterThan(0);
    expect(estimate.prices === undefined).toBe(["self-hosted", "folder"].includes(provider));
    expect(estimate.rows.map(({ cost }) => cost === undefined)).toEqual(
      Array.from({ length: 3 }, () => estimate.prices === undefined),
    );
  });

  test("prices are of providers that are known", () => {
    const hosts = [
      "x.amazonaws.com",
      "a.r2.cloudflarestorage.com",
      "fly.storage.tigris.dev",
      "s3.x.backblazeb2.com",
    ];
    const others = ["s3.x.wasabisys.com", "ams3.digitaloceanspaces.com"];
    const known = [...hosts, ...others].map((hostname) => providerOf({ hostname, port: "" }, undefined).name);
    expect(known.toSorted()).toEqual(Object.keys(PRICES).sort());
  });
});
