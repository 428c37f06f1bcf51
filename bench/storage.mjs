#!/usr/bin/env node
// Bundles bench/storage.ts and its server like dist/ is bundled (memory counts here) into a scratch folder, and runs it.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = import.meta.dirname;
const outdir = join(folder, "..", "node_modules", ".cache", "walrust-bench", "storage");
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: [join(folder, "storage.ts"), join(folder, "storage-server.ts")],
  outdir,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node20",
  logLevel: "error",
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
});
const { main } = await import(pathToFileURL(join(outdir, "storage.mjs")).href);
await main(process.argv.slice(2), { serverPath: join(outdir, "storage-server.mjs") });
