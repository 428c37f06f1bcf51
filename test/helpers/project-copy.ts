import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mutation, mutate } from "./mutation.ts";

/** What tests need of the project. */
const COPIED = [
  ...["assembly", "bench", "build", "dist", "docs", "python", "src", "test", "README.md", "CONTRIBUTING.md"],
  ...["package.json", "package-lock.json", "tsconfig.json"],
  ...[
    "vitest.config.ts",
    "vitest.interop.config.ts",
    "vitest.torture.config.ts",
    "vitest.thorough.config.ts",
  ],
];

const BUILD = `
  await (await import("./build/wasm.mjs")).buildWasm();
  if (process.argv[1] === "dist") await (await import("./build/bundle.mjs")).bundle("dist");
`;

/** A copy of the project in which sources may be changed: nobody else sees it. Its packages are the project's own. */
export class ProjectCopy {
  readonly folder: string;

  constructor(projectFolder: string) {
    this.folder = mkdtempSync(join(realpathSync(tmpdir()), "walrust-copy-"));
    for (const name of COPIED) {
      const from = join(projectFolder, name);
      if (existsSync(from)) cpSync(from, join(this.folder, name), { recursive: true });
    }
    symlinkSync(join(projectFolder, "node_modules"), join(this.folder, "node_modules"));
  }

  /** Takes a fix out; the function returned puts it back. Neither builds. */
  apply(mutation: Mutation): () => void {
    const path = join(this.folder, mutation.file);
    const source = readFileSync(path, "utf8");
    writeFileSync(path, mutate(source, mutation));
    return () => writeFileSync(path, source);
  }

  /** The WebAssembly core, and `dist/` if it is asked for. Throws with what the build said. */
  build(what: "core" | "dist"): void {
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", BUILD, what], {
      cwd: this.folder,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`the copy cannot be built:\n${stderr}`);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
