import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { scene } from "../helpers/e2e/scene.ts";
import { runWalrust } from "../helpers/e2e/walrust.ts";

const COMMANDS = ["watch", "restore", "list", "verify", "snapshot"];

describe("help", () => {
  test.each([[[]], [["--help"]], [["-h"]], [["help"]]])("walrust %j lists the commands", async (args) => {
    const { code, stdout, stderr } = await runWalrust(scene(), args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} +\\S`, "m"));
  });

  test.each(COMMANDS)("walrust %s --help has options and examples", async (command) => {
    const { code, stdout, stderr } = await runWalrust(scene(), [command, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^  walrust ${command} \\[OPTIONS\\]`, "m"));
    expect(stdout).toMatch(/^ {2}-b, --bucket ADDRESS +\S/m);
    expect(stdout).toMatch(new RegExp(`^Examples\\n  # .*\\n  walrust ${command} `, "m"));
    expect(stdout).not.toMatch(/[ \t]$|#0/m);
    expect(stdout).not.toContain("\u001b");
  });

  test("walrust help COMMAND is the same", async () => {
    const at = scene();
    const [asOption, asCommand] = await Promise.all([
      runWalrust(at, ["watch", "--help"]),
      runWalrust(at, ["help", "watch"]),
    ]);
    expect(asCommand.stdout).toBe(asOption.stdout);
  });

  test("what this version cannot do is not in it", async () => {
    const { stdout } = await runWalrust(scene(), ["watch", "--help"]);
    expect(stdout).not.toMatch(/--(compact|retain|metrics|no-metrics|observe|layout|validation)/);
  });
});

test("--version is that of the package", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  const { code, stdout } = await runWalrust(scene(), ["--version"]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${version}\n` });
});

describe("usage errors end with 2, say what is wrong, and print nothing on stdout", () => {
  test.each([
    [["wach", "a.db"], "unknown command wach (did you mean watch?)"],
    [["frobnicate"], "unknown command frobnicate\n"],
    [["--frobnicate"], "unknown option --frobnicate"],
    [["help", "frobnicate"], "unknown command frobnicate"],
    [
      ["watch", "a.db", "--snapshot-intervl", "5"],
      "watch: unknown option --snapshot-intervl (did you mean --snapshot-interval?)",
    ],
    [["watch", "a.db", "--once=3"], "watch: --once takes no value"],
    [["watch", "a.db", "-b"], "watch: not enough arguments to option -b"],
    [["watch", "-b", "file:///tmp"], "watch: there is no database to watch"],
    [["watch", "a.db"], "no storage is given"],
    [["restore"], "restore: not enough positional arguments"],
    [["restore", "app"], "restore: a required option is missing"],
    [["restore", "app", "-o", "x", "y"], 'restore: extraneous positional argument ("y")'],
    [["restore", "app", "-o", "x", "--txid", "five"], '"five" is not a TXID'],
    [["restore", "app", "-o", "x", "--txid", "0"], '"0" is not a TXID'],
    [["restore", "app", "-o", "x", "--txid", "18446744073709551616"], "is not a TXID"],
    [
      ["restore", "app", "-o", "x", "--point-in-time", "yesterday"],
      '"yesterday" is neither a time nor a TXID',
    ],
    [
      ["restore", "app", "-o", "x", "--point-in-time", "2026-02-30T00:00:00Z"],
      "is neither a time nor a TXID",
    ],
    [["restore", "app", "-o", "x", "--point-in-time", "2026-01-31T12:00:00"], "RFC 3339 with a zone"],
    [["restore", "app", "-o", "x", "--txid", "1", "--point-in-time", "2"], "say the same thing twice"],
    [["restore", "app", "-o", "x", "--nearest"], "--nearest needs --point-in-time"],
    [["restore", "app", "-o", "x", "--parallel", "0"], "--parallel: expected a whole number from 1 to 256"],
    [
      ["restore", "app", "-o", "x", "--integrity-check", "deep"],
      "--integrity-check: expected none, quick, full",
    ],
    [["list", "--files"], "list: --files needs the NAME"],
    [["verify"], "verify: give the NAME of a database, or --all"],
    [["verify", "app", "--all"], "verify: give the NAME of a database, or --all"],
    [["snapshot"], "snapshot: not enough positional arguments"],
    [["watch", "a.db", "--metrics-port", "1"], "watch: unknown option --metrics-port"],
    [["watch", "a.db", "--compact-interval", "1"], "watch: unknown option --compact-interval"],
    [["watch", "a.db", "--retain-hourly", "1"], "watch: unknown option --retain-hourly"],
    [["watch", "a.db", "--observe"], "watch: unknown option --observe"],
    [["watch", "a.db", "--layout", "litestream"], "watch: unknown option --layout"],
    [["watch", "a.db", "--validation-interval", "1"], "watch: unknown option --validation-interval"],
    [["verify", "app", "--fix"], "verify: unknown option --fix"],
  ])("%j: %s", async (args, message) => {
    const { code, stdout, stderr } = await runWalrust(scene(), args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^error: /);
    expect(stderr).not.toContain("    at ");
  });

  test("with --json they are a document on stdout too", async () => {
    const { code, stdout } = await runWalrust(scene(), ["restore", "app", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: "USAGE",
        message: "restore: a required option is missing",
        hint: expect.stringContaining("Usage: walrust restore [OPTIONS] -o, --output OUT NAME"),
        exit_code: 2,
        retryable: false,
        details: {},
      },
    });
  });
});
