import { readFileSync } from "node:fs";
import path from "node:path";
import * as esbuild from "esbuild";
import { root } from "./paths.mjs";

/** Packages with native code: the only ones that are installed with walrust, all others are in the bundle. */
const NATIVE = ["better-sqlite3", "@parcel/watcher"];

/** Bundled CommonJS code asks for Node's own modules through require, which an ES module does not have. */
const REQUIRE =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/**
 * cli.js, index.js and the writer of `walrust bench`, and chunks for what is imported late (each command, S3). One process holds the source text of every
 * chunk that it loaded, so white space counts; names stay, for stack traces that can be read.
 * Returns the folders of the packages whose code is in it.
 */
export async function bundle(outdir) {
  const { metafile } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: {
      cli: "src/cli/main.ts",
      index: "src/index.ts",
      "bench-writer": "src/bench/writer-process.ts",
    },
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.18",
    external: NATIVE,
    mainFields: ["module", "main"], // modules can be cut to what is used: half of S3, a tenth of hash-wasm
    banner: { js: REQUIRE },
    define: { WALRUST_VERSION: JSON.stringify(version()) },
    chunkNames: "chunks/[name]-[hash]",
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none", // all notices are in THIRD-PARTY-LICENSES.txt
    metafile: true,
    logLevel: "warning",
  });
  const used = Object.values(metafile.outputs).flatMap((output) =>
    Object.entries(output.inputs).flatMap(([input, { bytesInOutput }]) => (bytesInOutput > 0 ? [input] : [])),
  );
  return new Set(used.map(packageFolder).filter((folder) => folder !== undefined));
}

function version() {
  return JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")).version;
}

/** `node_modules/a/node_modules/@b/c/lib/x.js` -> `node_modules/a/node_modules/@b/c`. */
function packageFolder(input) {
  const parts = input.split("/");
  const at = parts.lastIndexOf("node_modules");
  if (at < 0) return undefined;
  const length = parts[at + 1].startsWith("@") ? 3 : 2;
  return path.join(root, ...parts.slice(0, at + length));
}
