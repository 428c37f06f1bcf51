import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/** What became of the tests whose titles begin so. */
export interface TestOutcome {
  readonly passed: number;
  readonly failed: number;
  /** Of the first that failed, its first line; where none ran, what vitest said. */
  readonly message: string;
}

interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const LIMIT_MS = 15 * 60_000;

/** @param title as it is written in the file: what is filled in later (`$name`, `%s`, `${x}`) may be anything */
export function runTest(folder: string, file: string, title: string): TestOutcome {
  const reportFile = join(folder, "report.json");
  rmSync(reportFile, { force: true });
  const config = file.endsWith(".torture.ts") ? ["--config", "vitest.torture.config.ts"] : [];
  const { stderr } = spawnSync(
    process.execPath,
    [
      ...["node_modules/vitest/vitest.mjs", "run", file, ...config],
      ...["--testNamePattern", patternOf(title), "--reporter=json", `--outputFile=${reportFile}`],
    ],
    { cwd: folder, encoding: "utf8", timeout: LIMIT_MS, env: { ...process.env, NO_COLOR: "1" } },
  );
  return outcomeOf(reportFile, stderr);
}

function outcomeOf(reportFile: string, stderr: string): TestOutcome {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(reportFile, "utf8"));
  } catch {
    return { passed: 0, failed: 0, message: stderr.trim() };
  }
  const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const failures = tests.filter(({ status }) => status === "failed");
  const said = failures[0]?.failureMessages[0] ?? report.testResults[0]?.message ?? "";
  return {
    passed: tests.filter(({ status }) => status === "passed").length,
    failed: failures.length,
    message: said.split("\n", 1)[0] ?? "",
  };
}

function patternOf(title: string): string {
  return title
    .split(/\$\{[^}]*\}|\$[\w.]+|%[sdifjop]/)
    .map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join(".*");
}
