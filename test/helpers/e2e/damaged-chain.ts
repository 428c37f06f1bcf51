import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "vitest";
import { addNotes, contentOf, expectRestored, openApplication } from "./application.ts";
import { DAMAGES } from "./damage.ts";
import { type Scene, scene } from "./scene.ts";
import { ltxFiles } from "./storage-folder.ts";
import { restore, restored, runWalrust, startWatch } from "./walrust.ts";

const INCREMENTS = 4;
const OLD_OUTPUT = "what stood there before";

/** A chain of one snapshot and some incrementals that verifies and restores. */
export async function soundChain(): Promise<Scene> {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 30, 500);
  const watch = startWatch(at, { databases: [at.path("app.db")], syncInterval: "20ms" });
  let head = await watch.untilPublished("app");
  for (let i = 0; i < INCREMENTS; i++) {
    addNotes(app, 10, 500);
    head = await watch.untilPublished("app", head);
  }
  await watch.drain();
  expect(ltxFiles(at, "app").length).toBe(INCREMENTS + 1);
  const verify = await runWalrust(at, ["verify", "app", "--bucket", at.address]);
  expect(verify.code, `a sound chain: ${verify.stdout}${verify.stderr}`).toBe(0);
  expectRestored(await restored(at, "app"), contentOf(app));
  return at;
}

/** Every damage that can be done to file `index` of the chain, each to a copy of it: found by verify, refused by restore (pitfall 42). */
export async function damageEach(
  at: Scene,
  index: number,
  kinds: readonly string[] = Object.keys(DAMAGES),
): Promise<void> {
  for (const [number, kind] of kinds.entries()) {
    const storage = at.path(`damaged-${index}-${number}`);
    cpSync(at.storage, storage, { recursive: true, preserveTimestamps: true });
    const damaged = { ...at, storage, address: pathToFileURL(storage).href };
    const files = ltxFiles(damaged, "app");
    const file = files[index];
    const damage = DAMAGES[kind];
    if (file === undefined || damage === undefined) throw new Error(`no file ${index}, or no damage ${kind}`);
    damage(file, files);
    const what = `${file.file.slice(storage.length + 1)}: ${kind}`;
    await expectFound(damaged, what);
    await expectHealing(damaged, what);
  }
}

/** `--fix` makes the manifest again and hides nothing; a snapshot begins a sound chain, whatever stays damaged behind it. */
async function expectHealing(at: Scene, what: string): Promise<void> {
  const from = ["--bucket", at.address];
  const fix = await runWalrust(at, ["verify", "app", "--fix", ...from]);
  expect(fix.code, `verify --fix of ${what}: ${fix.stdout}${fix.stderr}`).toBe(5);
  expect((await runWalrust(at, ["restore", "app", "-o", at.path("lost.db"), ...from])).code, what).not.toBe(
    0,
  );

  const app = openApplication(at.path("app.db"));
  try {
    const taken = await runWalrust(at, ["snapshot", "app.db", ...from]);
    expect(taken.code, `snapshot after ${what}: ${taken.stderr}`).toBe(0);
    expectRestored(await restored(at, "app"), contentOf(app));
  } finally {
    app.close();
  }
  const verify = await runWalrust(at, ["verify", "app", ...from, "--json"]);
  const [{ findings, newest_restorable_txid, head_txid }] = JSON.parse(verify.stdout).databases;
  expect(newest_restorable_txid, what).toBe(head_txid);
  // what is damaged goes on being told as long as it is there
  const kinds = findings.map(({ kind }: { kind: string }) => kind);
  expect(
    kinds.filter((kind: string) => kind !== "damaged"),
    `${what}: ${verify.stdout}`,
  ).toEqual([]);
}

/** verify ends with 5, restore with 5 or 6, and what stood at the output still stands there. */
export async function expectFound(at: Scene, what: string): Promise<void> {
  const out = join(at.storage, "..", "out.db");
  writeFileSync(out, OLD_OUTPUT);
  const [verify, restoring] = await Promise.all([
    runWalrust(at, ["verify", "app", "--bucket", at.address]),
    restore(at, "app", out, ["--force"]),
  ]);
  expect(verify.code, `verify of ${what}: ${verify.stdout}${verify.stderr}`).toBe(5);
  expect([5, 6], `restore of ${what}: ${restoring.stderr}`).toContain(restoring.code);
  expect(readFileSync(out, "utf8"), what).toBe(OLD_OUTPUT);
  expect(existsSync(`${out}-wal`)).toBe(false);
}
