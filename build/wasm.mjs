// Compiles assembly/ into src/wasm/generated/ (git-ignored): release.ts and debug.ts hold the bytes as base64,
// exports.ts the types of the exports. Base64 in a module is the one form that vitest (from source), esbuild (into
// dist/) and so `npm pack` carry without a copied file, a loader or a path at run time; it costs about 10 KB.
// Does nothing when the sources are those of the last build. `node build/wasm.mjs`, or import { buildWasm }.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const generated = join(root, "src/wasm/generated");

const COMMON = ["--runtime", "stub", "--enable", "simd", "--disableWarning", "201", "--bindings", "raw"];
const BUILDS = {
  release: ["-O3", "--converge", "--noAssert"],
  debug: ["--debug"],
};

const sources = () =>
  [
    ...readdirSync(join(root, "assembly"))
      .filter((name) => name.endsWith(".ts"))
      .sort()
      .map((name) => join(root, "assembly", name)),
    join(root, "src/wasm/layout.ts"),
    fileURLToPath(import.meta.url),
  ].map((path) => readFileSync(path, "utf8"));

/** The number of WebAssembly pages, from the one file that knows the regions. */
async function memoryPages() {
  const text = readFileSync(join(root, "src/wasm/layout.ts"), "utf8").replaceAll(/^export const/gm, "const");
  const bytes = new Function(`${text}; return MEMORY_END;`)();
  return Math.ceil(bytes / 65536);
}

async function compile(options) {
  const { default: asc } = await import("assemblyscript/asc");
  const files = new Map();
  const pages = String(await memoryPages());
  const { error, stderr } = await asc.main(
    [
      "assembly/index.ts",
      "--baseDir",
      root,
      "--outFile",
      "core.wasm",
      ...COMMON,
      ...options,
      "--initialMemory",
      pages,
      "--maximumMemory",
      pages,
    ],
    { writeFile: (name, contents) => void files.set(name, contents) },
  );
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
  return { wasm: files.get("core.wasm"), types: files.get("core.d.ts") };
}

/** asc's declarations are a namespace of functions; the instance's exports are an object with the same members. */
function exportsInterface(types) {
  const members = [...types.matchAll(/export function (\w+\([^)]*\): \w+);/g)].map(
    (match) => `  ${match[1]};`,
  );
  return `${BANNER}export interface CoreExports {\n  readonly memory: WebAssembly.Memory;\n${members.join("\n")}\n}\n`;
}

const BANNER = "// Made by build/wasm.mjs: do not edit.\n";

function write(name, text) {
  const path = join(generated, name);
  writeFileSync(`${path}.${process.pid}.tmp`, text);
  renameSync(`${path}.${process.pid}.tmp`, path);
}

export async function buildWasm() {
  const fingerprint = createHash("sha256").update(sources().join("\0")).digest("hex");
  try {
    if (readFileSync(join(generated, "fingerprint"), "utf8") === fingerprint) return;
  } catch {}
  mkdirSync(generated, { recursive: true });
  for (const [name, options] of Object.entries(BUILDS)) {
    const { wasm, types } = await compile(options);
    const base64 = Buffer.from(wasm).toString("base64");
    write(`${name}.ts`, `${BANNER}export const CORE_WASM_BASE64 =\n  "${base64}";\n`);
    if (name === "release") write("exports.ts", exportsInterface(types));
    console.log(`wasm ${name}: ${wasm.length} bytes`);
  }
  write("fingerprint", fingerprint);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await buildWasm();
