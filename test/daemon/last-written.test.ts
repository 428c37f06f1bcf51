import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DatabaseSettings } from "../../src/config/settings.ts";
import { lastWrittenFirst } from "../../src/daemon/last-written.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

test("by the later of the file and its log; one that is not there comes last", () => {
  const folder = tempFolder();
  const write = (name: string, atSeconds: number) => {
    writeFileSync(join(folder, name), "x");
    utimesSync(join(folder, name), atSeconds, atSeconds);
  };
  write("old.db", 1000);
  write("checkpointed.db", 3000);
  write("written.db", 1000);
  write("written.db-wal", 4000);
  write("older-log.db", 2000);
  write("older-log.db-wal", 500);
  const databases = ["gone", "old", "checkpointed", "older-log", "written"].map(
    (name) => ({ name, path: join(folder, `${name}.db`) }) as DatabaseSettings,
  );
  const order = lastWrittenFirst(databases).map(({ name }) => name);
  expect(order).toEqual(["written", "checkpointed", "older-log", "old", "gone"]);
});
