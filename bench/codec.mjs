#!/usr/bin/env node
// Bundles bench/codec.ts (TypeScript; Node 20 runs JavaScript) into a scratch file inside node_modules and runs it.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = import.meta.dirname;
const outfile = join(folder, "..", "node_modules", ".cache", "walrust-bench", "codec.mjs");
await build({
  entryPoints: [join(folder, "codec.ts")],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  packages: "external",
  logLevel: "error",
});
const { main } = await import(pathToFileURL(outfile).href);
await main(process.argv.slice(2));
