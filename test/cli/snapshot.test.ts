import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust, startWatch } from "../helpers/e2e/walrust.ts";

function ready(): Scene {
  const at = scene();
  addNotes(openApplication(at.path("app.db")), 3);
  return at;
}

const DOCUMENT = {
  name: "app",
  path: expect.stringMatching(/^\/.*\/app\.db$/),
  key: expect.stringMatching(/^app\/00000001-\d{8}\.ltx$/),
  txid: expect.any(Number),
  size: expect.any(Number),
  duration_ms: expect.any(Number),
};

test("by itself", async () => {
  const at = ready();
  const { code, stdout, stderr } = await runWalrust(at, ["snapshot", "app.db", "-b", at.address, "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const document = JSON.parse(stdout);
  expect(document).toEqual({ ...DOCUMENT, taken_by: "here" });
  expect(existsSync(path.join(at.storage, document.key))).toBe(true);
  const text = await runWalrust(at, ["snapshot", "app.db", "-b", at.address]);
  expect(text).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^snapshot of app at TXID \d+: app\/\S+, .*B in /),
  });
});

test("beside a running watch, which takes it", async () => {
  const at = ready();
  const watch = startWatch(at, { databases: ["app.db"] });
  await watch.untilEvent("snapshot");
  const { code, stdout } = await runWalrust(at, ["snapshot", "app.db", "-b", at.address, "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ ...DOCUMENT, taken_by: "daemon" });
  await watch.drain();
});

test("under the name that walrust.toml gives it", async () => {
  const at = ready();
  writeFileSync(
    at.path("walrust.toml"),
    `[s3]\nbucket = "${at.address}"\n[[databases]]\npath = "app.db"\nprefix = "eu/shop"\n`,
  );
  const { stdout } = await runWalrust(at, ["snapshot", "app.db", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ name: "eu/shop", key: expect.stringMatching(/^eu\/shop\//) });
});

test("of a pattern: exit 2", async () => {
  const at = ready();
  const { code, stderr } = await runWalrust(at, ["snapshot", "*.db", "-b", at.address]);
  expect(code).toBe(2);
  expect(stderr).toContain("is a pattern");
});
