import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { EncryptionSettings } from "../../../src/config/settings.ts";
import { readMasterKey } from "../../../src/storage/encrypted/key-source.ts";
import { MasterKey } from "../../../src/storage/encrypted/master-key.ts";
import { bytesOf } from "../support.ts";

const KEY = Buffer.from(bytesOf(32, 99));
const HEX = KEY.toString("hex");
const BASE64 = KEY.toString("base64");
const proofOf = (key: MasterKey) => Buffer.from(key.proof(new Uint8Array(32))).toString("hex");
const EXPECTED = proofOf(new MasterKey(KEY));

let folder: string;
let warnings: string[];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "walrust-key-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  warnings = [];
});

function read(settings: EncryptionSettings, env: Readonly<Record<string, string>> = {}): Promise<MasterKey> {
  const logger = { info() {}, warn: (_facts: unknown, message: string) => void warnings.push(message) };
  return readMasterKey(settings, { env, logger });
}

function keyFile(content: string | Uint8Array, mode = 0o600): EncryptionSettings {
  const file = path.join(folder, "backup.key");
  writeFileSync(file, content);
  chmodSync(file, mode);
  return { kind: "file", path: file };
}

const FORMS: readonly (readonly [string, string])[] = [
  ["hex", HEX],
  ["hex in capitals", HEX.toUpperCase()],
  ["hex with a newline", `${HEX}\n`],
  ["base64", BASE64],
  ["base64 without =", BASE64.replace("=", "")],
  ["base64 of URLs", KEY.toString("base64url")],
  ["base64 with a newline of Windows", `${BASE64}\r\n`],
];

describe("a key", () => {
  test.each(FORMS)("as %s, from a file and from the environment", async (_form, text) => {
    expect(proofOf(await read(keyFile(text)))).toBe(EXPECTED);
    expect(proofOf(await read({ kind: "env", variable: "KEY" }, { KEY: text }))).toBe(EXPECTED);
    expect(warnings).toEqual([]);
  });

  test("as it is, from a file", async () => {
    expect(proofOf(await read(keyFile(KEY)))).toBe(EXPECTED);
  });

  test("is not in what anything prints", async () => {
    const printed = inspect(await read(keyFile(HEX)), { depth: 10, showHidden: true });
    expect(printed).not.toContain(HEX.slice(0, 8));
    expect(JSON.stringify(await read(keyFile(HEX)))).toBe("{}");
  });
});

test.each([
  [0o644, 1],
  [0o602, 1],
  [0o640, 0],
  [0o400, 0],
])("a file of mode %o is complained about %i times", async (mode, times) => {
  await read(keyFile(HEX, mode));
  expect(warnings).toHaveLength(times);
  for (const warning of warnings) expect(warning).toMatch(/backup\.key .*chmod 600/);
});

describe("what is no key is refused, and not repeated", () => {
  test.each([
    ["nothing", ""],
    ["63 digits", HEX.slice(1)],
    ["65 digits", `${HEX}a`],
    ["no hex", `${HEX.slice(1)}g`],
    ["base64 of 31 bytes", Buffer.alloc(31, 0xff).toString("base64")],
    ["base64 of 33 bytes", Buffer.alloc(33, 0xff).toString("base64")],
    ["a password", "correct horse battery staple"],
    ["a password of 32 letters", "correct-horse-battery-staple-123"],
    ["half a key in hex", HEX.slice(0, 32)],
    ["two keys", `${HEX}\n${HEX}\n`],
    ["a whole file of something", "x".repeat(100_000)],
  ])("%s", async (_what, text) => {
    for (const [settings, env] of [
      [keyFile(text), {}],
      [{ kind: "env", variable: "KEY" }, { KEY: text }],
    ] as const) {
      const error = await read(settings, env).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: "CONFIG_INVALID",
        exitCode: 2,
        hint: expect.stringContaining("openssl rand -hex 32"),
      });
      const { message } = error as Error;
      expect(message).toMatch(/64 hex digits|is not set/);
      if (text.length > 8) expect(message).not.toContain(text.slice(0, 8));
    }
  });

  test.each([31, 33])("%i bytes as they are", async (size) => {
    await expect(read(keyFile(bytesOf(size, 5)))).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  test("a file that is not there, a folder, a variable that is not set", async () => {
    const missing = path.join(folder, "gone.key");
    await expect(read({ kind: "file", path: missing })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: `the key file ${missing} cannot be read: it does not exist`,
    });
    const directory = path.join(folder, "keys");
    mkdirSync(directory);
    await expect(read({ kind: "file", path: directory })).rejects.toMatchObject({
      message: expect.stringContaining("EISDIR"),
    });
    await expect(read({ kind: "env", variable: "NO_KEY" })).rejects.toMatchObject({
      message: expect.stringContaining("NO_KEY"),
    });
  });

  test("a device without an end", async () => {
    await expect(read({ kind: "file", path: "/dev/zero" })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  test("the key in the place of its file or variable", async () => {
    for (const text of [HEX, BASE64.replaceAll("/", "_")]) {
      for (const settings of [
        { kind: "env", variable: text },
        { kind: "file", path: path.join("/etc", text) },
      ] as const) {
        const error = await read(settings).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({
          code: "CONFIG_INVALID",
          message: expect.stringContaining("holds a key"),
        });
        expect(inspect(error)).not.toContain(text);
      }
    }
  });
});
