#!/usr/bin/env node
// `npm run fuzz -- [TARGET] [--seconds N] [--seed S] [--replay FILE]`: fuzzes one target, or all in turn, N seconds each (10), until one fails.
// A finding is made small, kept in test/fuzz/corpus/TARGET/, and said.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "10" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 32)) },
    replay: { type: "string" },
  },
});
const env = {
  ...process.env,
  WALRUST_FUZZ_TARGET: positionals[0] ?? "",
  WALRUST_FUZZ_SECONDS: values.seconds,
  WALRUST_FUZZ_SEED: values.seed,
  WALRUST_FUZZ_REPLAY: values.replay === undefined ? "" : path.resolve(values.replay),
};
const vitest = path.join(root, "node_modules/vitest/vitest.mjs");
const args = ["run", "--config", "vitest.fuzz.config.ts", "--reporter", "dot"];
const { status } = spawnSync(process.execPath, [vitest, ...args], { cwd: root, env, stdio: "inherit" });
process.exitCode = status ?? 1;
