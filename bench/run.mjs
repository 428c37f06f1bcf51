#!/usr/bin/env node
// The benchmarks are TypeScript; Node 20 runs JavaScript: bundle them into a scratch file inside node_modules and go.
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = dirname(fileURLToPath(import.meta.url));
const outfile = join(folder, "..", "node_modules", ".cache", "walrust-bench", "main.mjs");
mkdirSync(dirname(outfile), { recursive: true });
await build({
  entryPoints: [join(folder, "main.ts")],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  packages: "external",
  sourcemap: "inline",
  logLevel: "error",
});
const { main } = await import(pathToFileURL(outfile).href);
process.exitCode = await main(process.argv.slice(2), { projectFolder: join(folder, "..") });
