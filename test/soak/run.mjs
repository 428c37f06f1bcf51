#!/usr/bin/env node
// The run is TypeScript; Node 20 runs JavaScript: bundle it into scratch files inside node_modules and go.
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = dirname(fileURLToPath(import.meta.url));
const project = join(folder, "..", "..");
const outdir = join(project, "node_modules", ".cache", "walrust-soak");
mkdirSync(outdir, { recursive: true });
await build({
  entryPoints: [join(folder, "main.ts"), join(folder, "storage-process.ts")],
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
process.exitCode = await main(process.argv.slice(2), {
  project,
  serverScript: join(outdir, "storage-process.mjs"),
});
