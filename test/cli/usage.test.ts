import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { scene } from "../helpers/e2e/scene.ts";
import { runWalrust } from "../helpers/e2e/walrust.ts";

const COMMANDS = [
  "watch",
  "restore",
  "list",
  "verify",
  "snapshot",
  "compact",
  "replicate",
  "explain",
  "pragma",
  "bench",
];

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
    [["replicate", "s3://b/app"], "replicate: a required option is missing"],
    [["replicate", "app", "--local", "r.db"], "no storage is given"],
    [["replicate", "s3://b", "--local", "r.db"], "replicate: ADDRESS names no database"],
    [["replicate", "s3://b/app", "-b", "b", "--local", "r.db"], "names the storage, and so does --bucket"],
    [["replicate", "s3://b/app", "--local", "r.db", "--interval", "soon"], "--interval: expected a time"],
    [["replicate", "s3://b/app", "--local", "r.db", "--interval", "0"], "--interval: expected a time"],
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
    [["explain"], "no storage is given"],
    [["explain", "a.db", "--max-changes", "3"], "explain: unknown option --max-changes"],
    [["pragma", "app.db"], "pragma: extraneous positional argument"],
    [["pragma", "--comments", "maybe"], '--comments: expected true, false, got "maybe"'],
    [["bench", "snapshots"], "bench: unknown workload snapshots (did you mean snapshot?)"],
    [["bench", "codec", "-b", "copies"], "bench: it measures with a folder"],
    [["bench", "--runs", "0"], "--runs: expected a whole number from 1 to 100"],
    [["bench", "--databases", "1,,10"], "--databases: expected a whole number from 1 to 10000"],
    [["bench", "--seconds", "soon"], "--seconds: expected a whole number from 1 to 3600"],
    [["watch", "a.db", "--metrics-port", "high"], "--metrics-port: expected a whole number"],
    [["watch", "a.db", "--compact-interval", "soon"], '--compact-interval: "soon" is not a duration'],
    [["watch", "a.db", "--retain-hourly", "all"], "--retain-hourly: expected a whole number"],
    [["compact"], "compact: not enough positional arguments"],
    [["compact", "app"], "no storage is given"],
    [["compact", "app", "--hourly", "many"], "--hourly: expected a whole number from 0 to 1000000"],
    [
      [
        "compact",
        "app",
        "--hourly",
        "0",
        "--daily",
        "0",
        "--weekly",
        "0",
        "--monthly",
        "0",
        "-b",
        "file:///tmp",
      ],
      "one of hourly, daily, weekly, monthly must be more than 0",
    ],
    [["watch", "a.db", "--observe", "-b", "copies"], "there is no place for its local state"],
    [["watch", "a.db", "--layout", "litestrem"], "--layout"],
    [["watch", "a.db", "--validation-interval", "-1"], "--validation-interval"],
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
