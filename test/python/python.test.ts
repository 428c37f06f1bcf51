import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { spawnChild } from "../../src/bench/child.ts";
import { tempFolder } from "../helpers/e2e/temp-folder.ts";

/** Each is a class of python/tests/test_walrust.py. */
const SUITES = ["TheOriginalsApi", "Results", "Errors", "Watching"];

test.each(SUITES)(
  "the Python package drives the program: %s",
  async (suite) => {
    const folder = tempFolder();
    const { exited } = spawnChild("python3", ["-m", "unittest", `test_walrust.${suite}`], {
      cwd: path.resolve("python/tests"),
      env: {
        HOME: folder,
        TMPDIR: folder,
        PYTHONPATH: path.resolve("python/src"),
        PYTHONDONTWRITEBYTECODE: "1",
        WALRUST_BIN: path.resolve("dist/cli.js"),
      },
    });
    const { code, stderr } = await exited;
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^Ran [1-9]\d* tests? in .*\n\nOK\n$/m);
  },
  120_000,
);

test("it has the version of the program", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  expect(readFileSync("python/pyproject.toml", "utf8")).toContain(`\nversion = "${version}"\n`);
  expect(readFileSync("python/src/walrust/__init__.py", "utf8")).toContain(`\n__version__ = "${version}"\n`);
});
