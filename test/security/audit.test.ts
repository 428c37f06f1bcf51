import { spawn } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

/** `build/audit.mjs` with an npm of ours: what of its report fails a build, and what is only told. */

interface Audit {
  readonly code: number | null;
  readonly said: string;
}

/** @param report what `npm audit --json` prints */
function audit(report: string, exitCode = 1): Promise<Audit> {
  const folder = tempFolder();
  const npm = join(folder, "npm");
  writeFileSync(join(folder, "report"), report);
  writeFileSync(npm, `#!/bin/sh\ncat '${folder}/report'\nexit ${exitCode}\n`);
  chmodSync(npm, 0o755);
  const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };
  return new Promise((done) => {
    const child = spawn(process.execPath, ["build/audit.mjs"], { env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
    child.on("close", (code) => done({ code, said }));
  });
}

type Fix = boolean | { readonly name: string; readonly version: string; readonly isSemVerMajor: boolean };

function report(...found: readonly (readonly [name: string, fixAvailable: Fix])[]): string {
  const via = [{ title: "it does harm", url: "https://advisories.example/1" }];
  const all = found.map(([name, fixAvailable]) => [
    name,
    { name, severity: "high", range: "<2", via, nodes: [`node_modules/${name}`], fixAvailable },
  ]);
  return JSON.stringify({ vulnerabilities: Object.fromEntries(all) });
}

const MAJOR = { name: "undici", version: "99.0.0", isSemVerMajor: true };

test.each([
  [
    "what is shipped and has a fix fails the build: installed, or in the bundle",
    report(["better-sqlite3", true], ["undici", MAJOR], ["valibot", false], ["vitest", true]),
    1,
    [
      /take it\n.*better-sqlite3 <2: it does harm \(https.*mended by npm update\n.*undici.*mended by undici 99\.0\.0\n/,
      /nobody has a fix yet\n.*valibot/,
      /only used in development\n.*vitest/,
    ],
  ],
  [
    "what nobody has mended, and what only development uses, do not",
    report(["undici", false], ["vitest", true]),
    0,
    [/nobody has a fix yet\n.*undici/, /only used in development\n.*vitest/],
  ],
  [
    "a registry without audits",
    '{"message":"405 Method Not Allowed"}',
    0,
    [/no audit: the registry makes none \(405/],
  ],
])(
  "%s",
  async (_what, npmReport, code, texts) => {
    const { code: got, said } = await audit(npmReport);
    for (const text of texts) expect(said).toMatch(text);
    expect(got, said).toBe(code);
  },
  60_000,
);

test("every package in the lock file has its hash, and none comes from elsewhere than the registry", () => {
  const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
    packages: Record<string, { integrity?: string; link?: boolean; version?: string }>;
  };
  const others = Object.entries(packages).filter(([folder]) => folder !== "");
  expect(others.length).toBeGreaterThan(100);
  const doubtful = others.filter(
    ([, { integrity, version }]) => !/^sha512-/.test(integrity ?? "") || !/^\d/.test(version ?? ""),
  );
  expect(doubtful).toEqual([]);
});

test("versions are exact, and install scripts run only where they must", () => {
  const { dependencies, devDependencies, allowScripts, scripts } = JSON.parse(
    readFileSync("package.json", "utf8"),
  ) as Record<string, Record<string, unknown>>;
  const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+$/.test(String(version)),
  );
  expect(loose).toEqual([]);
  expect(Object.entries(allowScripts ?? {}).filter(([, allowed]) => allowed)).toEqual([
    ["better-sqlite3", true],
  ]);
  expect(Object.keys(scripts ?? {}).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual(
    [],
  );
});

test("the bundle carries the notice of every package in it", () => {
  const notices = readFileSync(resolve("dist/THIRD-PARTY-LICENSES.txt"), "utf8")
    .split("=".repeat(80))
    .slice(1);
  expect(notices.length).toBeGreaterThan(20);
  const without = notices.filter(
    (notice) =>
      !/copyright|\(c\)|licensed under the apache license/i.test(notice.split("\n").slice(2).join("\n")),
  );
  expect(without.map((notice) => notice.trim().split("\n")[0])).toEqual([]);
});
