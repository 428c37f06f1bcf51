import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust, syncOnce } from "../helpers/e2e/walrust.ts";

let at: Scene;
/** `app`, a snapshot and two incrementals, and `other`, a snapshot. */
beforeEach(async () => {
  at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(openApplication(at.path("other.db")));
  for (const databases of [["app.db", "other.db"], ["app.db"], ["app.db"]]) {
    addNotes(app, 3);
    await syncOnce(at, { databases });
  }
});

const from = () => ["-b", at.address];
const folderOf = (name: string) => path.join(at.storage, name);
const manifestOf = (name: string) => path.join(folderOf(name), "manifest.json");
const ltxOf = (name: string) =>
  readdirSync(folderOf(name))
    .filter((file) => file.endsWith(".ltx"))
    .sort((a, b) => Number(a.slice(9, 17)) - Number(b.slice(9, 17)));

async function verify(...args: string[]) {
  const [text, json] = [
    await runWalrust(at, ["verify", ...args, ...from()]),
    await runWalrust(at, ["verify", ...args, ...from(), "--json"]),
  ];
  return { code: text.code, again: json.code, stdout: text.stdout, document: JSON.parse(json.stdout) };
}

describe("--fix", () => {
  test.each([
    ["deleted", () => rmSync(manifestOf("app")), "It had no manifest"],
    ["cut", () => writeFileSync(manifestOf("app"), "{"), "fixed: app/manifest.json: "],
  ])("a manifest that was %s is made again, exit 0", async (_, lose, says) => {
    const before = JSON.parse(readFileSync(manifestOf("app"), "utf8"));
    lose();
    const { code, stdout, document } = await verify("app", "--fix");
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/^app: ok; /);
    expect(stdout).toContain(says);
    expect(stdout).toContain("The manifest was rewritten: it names 3 files.");
    const after = JSON.parse(readFileSync(manifestOf("app"), "utf8"));
    const nameless = ({ filename, sha256, post_apply }: Record<string, unknown>) => ({
      filename,
      sha256,
      post_apply,
    });
    expect(after.files.map(nameless)).toEqual(before.files.map(nameless));
    expect(after).toMatchObject({ current_txid: before.current_txid, last_checksum: before.last_checksum });
    expect(document.databases[0]).toMatchObject({
      ...{ ok: true, manifest: "ok", has_manifest: true },
      fix: { manifest: "unchanged", named: 3, forgotten: [] },
    });
  });

  test("what is lost is told as a range, exit 5, also the second time, until a newer snapshot", async () => {
    const [, lost] = ltxOf("app");
    rmSync(path.join(folderOf("app"), lost as string));
    const first = await runWalrust(at, ["verify", "app", "--fix", ...from()]);
    expect(first.code).toBe(5);
    expect(first.stdout).toMatch(
      new RegExp(
        `^app: NOT OK; [\\s\\S]*app/${lost}: the manifest names it, and it is gone; lost: TXID \\d+-\\d+\\n`,
      ),
    );
    expect(first.stdout).toMatch(
      /The manifest was rewritten: it names 1 file\.\n {2}Lost: TXID \d+-\d+\. A new snapshot/,
    );
    const { code, again, document } = await verify("app", "--fix");
    expect([code, again]).toEqual([5, 5]);
    const [database] = document.databases;
    expect(database).toMatchObject({
      ok: false,
      fix: { manifest: "unchanged" },
      findings: [{ kind: "hole", fixed: false }],
    });
    expect(database.lost.length).toBeGreaterThan(0);
    const restoring = await runWalrust(at, ["restore", "app", "-o", "out.db", ...from()]);
    expect(restoring.code).toBe(5);

    addNotes(openApplication(at.path("app.db")));
    expect((await runWalrust(at, ["snapshot", "app.db", ...from()])).code).toBe(0);
    const healed = await verify("app", "--restore");
    expect(healed, healed.stdout).toMatchObject({ code: 0, stdout: expect.stringMatching(/^app: ok; /) });
  });

  test("a damaged object stays where it is, and is told", async () => {
    const object = path.join(folderOf("app"), ltxOf("app").at(-1) as string);
    const bytes = readFileSync(object);
    bytes.writeUInt8(bytes.readUInt8(150) ^ 1, 150);
    writeFileSync(object, bytes);
    for (const _ of [1, 2]) {
      const { code, stdout } = await runWalrust(at, ["verify", "app", "--fix", ...from()]);
      expect({ code, stdout }).toMatchObject({ code: 5, stdout: expect.stringContaining("is damaged: ") });
    }
    expect(readFileSync(object)).toEqual(bytes);
  });

  test("nothing to do is said, and nothing is written", async () => {
    const before = readFileSync(manifestOf("app"));
    const { code, stdout } = await verify("app", "--fix");
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^app: ok; [^\n]*\n$/) });
    expect(readFileSync(manifestOf("app"))).toEqual(before);
  });

  test("a manifest of a newer walrust: exit 5, and it is left alone", async () => {
    writeFileSync(manifestOf("app"), '{"version":2}');
    const { code, stderr } = await runWalrust(at, ["verify", "app", "--fix", ...from()]);
    expect(code).toBe(5);
    expect(stderr).toContain("app/manifest.json has version 2: a newer walrust wrote it\nUpdate walrust.");
    expect(readFileSync(manifestOf("app"), "utf8")).toBe('{"version":2}');
  });
});

describe("--all", () => {
  test("one that cannot be verified does not stop the others", async () => {
    writeFileSync(manifestOf("app"), '{"version":2}');
    const { code, again, stdout, document } = await verify("--all");
    expect([code, again]).toEqual([5, 5]);
    expect(stdout).toMatch(/^app: NOT VERIFIED; app\/manifest\.json has version 2: [^\n]*\nother: ok; /);
    expect(document.databases).toMatchObject([
      { name: "app", ok: false, error: { code: "INTEGRITY_VERSION", exit_code: 5 } },
      { name: "other", ok: true },
    ]);
  });

  test("with --fix: each gets its manifest", async () => {
    rmSync(manifestOf("app"));
    writeFileSync(manifestOf("other"), "x");
    expect((await runWalrust(at, ["verify", "--all", "--fix", ...from()])).code).toBe(0);
    const { code, document } = await verify("--all");
    expect(code).toBe(0);
    expect(document.databases).toMatchObject([{ manifest: "ok" }, { manifest: "ok" }]);
  });

  test("a storage that is not there: exit 4", async () => {
    rmSync(at.storage, { recursive: true });
    expect((await runWalrust(at, ["verify", "--all", ...from()])).code).toBe(4);
  });
});

describe("without a sound manifest the others go on, and say so", () => {
  test.each([
    ["missing", () => rmSync(manifestOf("app")), "There is no manifest: whether newer objects are gone"],
    [
      "damaged",
      () => writeFileSync(manifestOf("app"), "[]"),
      "The manifest is damaged and was not used: whether",
    ],
    [
      "damaged",
      () => cpSync(manifestOf("other"), manifestOf("app")),
      "The manifest is damaged and was not used",
    ],
  ])("%s", async (state, lose, says) => {
    lose();
    for (const args of [
      ["restore", "app", "-o", "out.db", "--force"],
      ["restore", "app", "-o", "x", "--dry-run"],
      ["list", "app"],
    ]) {
      const text = await runWalrust(at, [...args, ...from()]);
      expect(text.code, text.stderr).toBe(0);
      expect(text.stdout).toContain(says);
      const json = await runWalrust(at, [...args, ...from(), "--json"]);
      expect(JSON.parse(json.stdout)).toMatchObject({ manifest: state });
    }
    const { code, document } = await verify("app");
    expect(code).toBe(state === "missing" ? 0 : 5);
    expect(document.databases[0]).toMatchObject({ manifest: state, has_manifest: false });
  });
});
