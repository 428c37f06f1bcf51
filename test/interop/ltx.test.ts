import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { restored, syncOnce } from "../helpers/e2e/walrust.ts";
import { programFrom } from "./helpers/program.ts";

/** The public `ltx` program of superfly/ltx reads what the shipped program writes. */
async function ltx(...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(programFrom("WALRUST_LTX"), [...args]);
  return stdout + stderr;
}

/** A snapshot and incrementals behind it: growth, updates, an overflow of the cache, a VACUUM that shrinks. */
async function written(pageSize: number): Promise<{ readonly at: Scene; readonly chain: readonly string[] }> {
  const at = scene();
  const app = openApplication(at.path("app.db"), { pageSize });
  const sync = () => syncOnce(at, { databases: ["app.db"], args: ["--snapshot-interval", "0"] });
  addNotes(app, 10, 500);
  await sync();
  addNotes(app, 2000, 1000);
  addNotes(app, 1, 3);
  await sync();
  app.exec("UPDATE notes SET body = upper(hex(body)) WHERE id % 7 = 0; DELETE FROM notes WHERE id % 2");
  await sync();
  app.exec("VACUUM");
  await sync();
  const folder = path.join(at.storage, "app");
  const names = readdirSync(folder).filter((name) => name.endsWith(".ltx"));
  return { at, chain: names.map((name) => path.join(folder, name)).sort() };
}

describe.each([512, 4096, 65536])("page size %d", (pageSize) => {
  test("ltx verifies every file, and applies the chain to the same database", async () => {
    const { at, chain } = await written(pageSize);
    expect(chain.length).toBeGreaterThanOrEqual(4);
    expect(path.basename(chain[0] as string)).toMatch(/^00000001-/);
    expect(await ltx("verify", ...chain)).toMatch(/^ok$/m);
    await ltx("apply", "-db", at.path("applied.db"), ...chain);
    const ours = readFileSync(await restored(at, "app"));
    expect(readFileSync(at.path("applied.db")).equals(ours)).toBe(true);
  });
});
