// Runs a script that is written in TypeScript, which Node 20 cannot: `node build/run-script.mjs test/simulation/main.ts [ARGUMENTS]`.
// The script exports `main(args, projectFolder)`, which gives the exit code.
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { root } from "./paths.mjs";

const [entry, ...args] = process.argv.slice(2);
// inside node_modules, from where packages are found
const folder = path.join(root, "node_modules/.cache/walrust-scripts");
const outfile = path.join(folder, `${entry.replaceAll(/[/.]/g, "-")}.${process.pid}.mjs`);
mkdirSync(folder, { recursive: true });
await build({
  ...{ absWorkingDir: root, entryPoints: [entry], outfile, bundle: true, packages: "external" },
  ...{ platform: "node", format: "esm", target: "node20.18", sourcemap: "inline", logLevel: "error" },
});
const { main } = await import(pathToFileURL(outfile).href).finally(() => rmSync(outfile));
process.exitCode = await main(args, root);
