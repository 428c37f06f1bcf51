import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { checkLayer } from "../../src/config/config-file.ts";
import { expandGlobs, resolveDatabases } from "../../src/config/databases.ts";
import { flagLayer } from "../../src/config/flags.ts";
import { isWalrustError } from "../../src/errors.ts";
import { runs } from "../helpers/property-runs.ts";

const root = realpathSync(mkdtempSync(path.join(tmpdir(), "walrust-databases-")));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const FOLDERS = ["", "eu/", "us/", "us/old/"];
const FILES = ["app.db", "app", "app.sqlite", "app.db.bak", "b.db", "app.db-wal", "b.db-journal"];

/** Files that are there, by their path below the folder. */
const anyFiles = fc.uniqueArray(
  fc.tuple(fc.constantFrom(...FOLDERS), fc.constantFrom(...FILES)).map(([folder, file]) => folder + file),
  { maxLength: 10 },
);
const anyEntry = fc.record(
  {
    path: fc.oneof(
      fc.tuple(fc.constantFrom(...FOLDERS), fc.constantFrom(...FILES)).map(([folder, file]) => folder + file),
      fc.constantFrom("*.db", "**/*.db", "us/*", "*/*.db", "**/*", "eu/app*"),
    ),
    prefix: fc.constantFrom("app", "b", "eu", "eu/app", "/eu/", "us"),
  },
  { requiredKeys: ["path"] },
);

type Entry = typeof anyEntry extends fc.Arbitrary<infer T> ? T : never;

async function resolve(folder: string, entries: readonly Entry[]) {
  const loaded = {
    value: { databases: entries },
    locate: (at: readonly (string | number)[]) => ({ text: at.join("."), details: {} }),
    ...{ folder, file: path.join(folder, "walrust.toml") },
  };
  const flags = checkLayer(flagLayer({}));
  const resolved = await resolveDatabases({ loaded, file: checkLayer(loaded), flags, paths: [], cwd: "/" });
  return [...resolved.databases, ...(await expandGlobs(resolved))];
}

test("whatever files and patterns there are: no two databases have one key prefix, no file is watched twice, or it is refused", async () => {
  let folders = 0;
  let [taken, refused] = [0, 0];
  await fc.assert(
    fc.asyncProperty(anyFiles, fc.array(anyEntry, { maxLength: 4 }), async (files, entries) => {
      folders += 1;
      const folder = path.join(root, String(folders));
      for (const sub of FOLDERS) mkdirSync(path.join(folder, sub), { recursive: true });
      for (const file of files) writeFileSync(path.join(folder, file), "");
      let databases: Awaited<ReturnType<typeof resolve>>;
      try {
        databases = await resolve(folder, entries);
      } catch (error) {
        if (!isWalrustError(error, "CONFIG_INVALID")) throw error;
        refused += 1;
        expect(error.message).toMatch(/would share the key prefix|is named twice/);
        // A file that a pattern matches too is named on its own, and that is in order.
        const plain = entries.filter((entry) => !entry.path.includes("*")).map((entry) => entry.path);
        const isTwice = new Set(plain).size < plain.length || entries.length - plain.length > 1;
        if (error.message.includes("is named twice")) expect(isTwice, error.message).toBe(true);
        return;
      }
      taken += 1;
      const names = databases.map(({ name }) => name);
      const paths = databases.map((database) => database.path);
      expect(
        names.filter((name, i) => names.indexOf(name) !== i),
        "names that are shared",
      ).toEqual([]);
      expect(
        paths.filter((one, i) => paths.indexOf(one) !== i),
        "files that are named twice",
      ).toEqual([]);
      for (const one of paths)
        expect(/-(wal|shm|journal)$/.test(one) && !entries.some((entry) => one.endsWith(entry.path))).toBe(
          false,
        );
    }),
    runs(150),
  );
  expect(Math.min(taken, refused)).toBeGreaterThan(10);
});
