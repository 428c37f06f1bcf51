import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { type Mutation, mutate } from "../helpers/mutation.ts";

const COMMON = {
  ...{ bundle: true, platform: "node", target: "node20.18", write: false, logLevel: "warning" },
  ...{ external: ["better-sqlite3"], define: { WALRUST_VERSION: '"simulated"' } },
} as const satisfies BuildOptions;

/** The program as the text of a CommonJS module, with a bug in it if one is asked for. */
export async function bundleProgram(projectFolder: string, mutation?: Mutation): Promise<string> {
  let isMutated = mutation === undefined;
  const source = (path: string) => {
    const text = readFileSync(path, "utf8");
    if (mutation === undefined || relative(projectFolder, path) !== mutation.file) return text;
    isMutated = true;
    return mutate(text, mutation);
  };
  const bundled = await bundle(projectFolder, "production.ts", {
    format: "cjs",
    plugins: [
      {
        name: "sources",
        setup: ({ onLoad }) =>
          onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => ({ contents: source(path), loader: "ts" })),
      },
    ],
  });
  if (!isMutated) throw new Error(`${mutation?.file} is no part of what is simulated`);
  return bundled;
}

/** The simulator's worker as the text of an ES module. */
export function bundleWorker(projectFolder: string): Promise<string> {
  return bundle(projectFolder, "worker.ts", { format: "esm" });
}

async function bundle(projectFolder: string, entry: string, options: BuildOptions): Promise<string> {
  const entryPoints = [join(projectFolder, "test/simulation", entry)];
  const { outputFiles } = await build({ ...COMMON, ...options, entryPoints, write: false });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`${entry} gives no bundle`);
  return file.text;
}
