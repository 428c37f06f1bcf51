#!/usr/bin/env node
// Takes fixes out and sees tests fail: main.ts. Node 20 runs JavaScript: bundle into a scratch file inside node_modules and go.
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = dirname(fileURLToPath(import.meta.url));
const projectFolder = join(folder, "..", "..");
const outfile = join(projectFolder, "node_modules", ".cache", "walrust-mutate", "main.mjs");
mkdirSync(dirname(outfile), { recursive: true });
await build({
  entryPoints: [join(folder, "main.ts")],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  packages: "external",
  logLevel: "error",
});
const { main } = await import(pathToFileURL(outfile).href);
process.exitCode = await main(process.argv.slice(2), projectFolder);
