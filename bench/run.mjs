#!/usr/bin/env node
// The benchmarks are TypeScript; Node 20 runs JavaScript: bundle them, and the S3 server that is a process of its own, and go.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = dirname(fileURLToPath(import.meta.url));
// inside node_modules, from where packages are found; of this run alone, which may take hours
const cache = join(folder, "..", "node_modules", ".cache", "walrust-bench");
mkdirSync(cache, { recursive: true });
const outdir = mkdtempSync(join(cache, "run-"));
// whatever ends it: processes and folders go when this one exits
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
process.once("exit", () => rmSync(outdir, { recursive: true, force: true }));
await build({
  entryPoints: [join(folder, "main.ts"), join(folder, "storage-server.ts")],
  outdir,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  packages: "external",
  sourcemap: "inline",
  logLevel: "error",
});
const { main } = await import(pathToFileURL(join(outdir, "main.mjs")).href);
process.exitCode = await main(process.argv.slice(2), { projectFolder: join(folder, "..") });
