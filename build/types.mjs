import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { root } from "./paths.mjs";

/** The declarations of the public library: src/index.ts and what its signatures name, nothing else. */
export async function emitTypes(outDir) {
  const tsc = path.join(root, "node_modules/typescript/bin/tsc");
  const args = ["-p", path.join(root, "build/tsconfig.types.json"), "--outDir", outDir];
  try {
    await promisify(execFile)(process.execPath, [tsc, ...args], { cwd: root });
  } catch (error) {
    throw new Error(`tsc: ${error.stdout || error.message}`);
  }
  const named = namedFrom(path.join(outDir, "index.d.ts"));
  for (const file of readdirSync(outDir, { recursive: true }).map((name) => path.join(outDir, name))) {
    if (statSync(file).isFile() && !named.has(file)) rmSync(file);
  }
  removeEmptyFolders(outDir);
}

/** A declaration file and all that it imports, which must not lead out of the package. */
function namedFrom(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, name] of readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?"([^"]+)"/g)) {
    if (!name.startsWith("."))
      throw new Error(`${path.basename(file)}: the public types name the package ${name}`);
    namedFrom(path.join(path.dirname(file), name.replace(/\.ts$/, ".d.ts")), found);
  }
  return found;
}

function removeEmptyFolders(folder) {
  for (const name of readdirSync(folder)) {
    const inside = path.join(folder, name);
    if (existsSync(inside) && statSync(inside).isDirectory()) removeEmptyFolders(inside);
  }
  if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
}
