import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";

/** Holds the tree to its own rules (CONTRIBUTING.md, "How the code is laid out"). */

const LEAVES = [
  "errors.ts",
  "events.ts",
  "clock.ts",
  "json.ts",
  "digest.ts",
  "printable.ts",
  "process-identity.ts",
  "pace.ts",
];

/** Imports go downward only: what each part of src/ may import beside the leaves and its own folder. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  wasm: [],
  wal: ["wasm"],
  ltx: ["wasm"],
  storage: ["ltx"],
  sqlite: ["wal", "wasm"],
  shadow: ["ltx", "sqlite", "wal", "wasm"],
  restore: ["ltx", "shadow", "sqlite", "storage", "wasm"],
  follow: ["ltx", "restore", "shadow", "sqlite", "storage", "wasm"],
  retention: ["ltx", "restore", "shadow", "storage", "wasm"],
  replication: ["ltx", "restore", "shadow", "sqlite", "storage", "wal", "wasm"],
  observability: [],
  daemon: [
    "ltx",
    "observability",
    "replication",
    "restore",
    "retention",
    "shadow",
    "sqlite",
    "storage",
    "wal",
    "wasm",
  ],
  config: ["storage"],
  bench: ["ltx", "sqlite", "wal", "wasm"],
  explain: ["sqlite", "storage"],
  "walrust.ts": [
    "config",
    "daemon",
    "follow",
    "observability",
    "replication",
    "restore",
    "retention",
    "sqlite",
    "storage",
    "wasm",
  ],
  library: ["config", "observability", "restore", "retention", "storage", "walrust.ts"],
  "index.ts": ["library", "restore", "retention"],
  cli: [
    "bench",
    "config",
    "daemon",
    "explain",
    "follow",
    "ltx",
    "observability",
    "restore",
    "retention",
    "sqlite",
    "walrust.ts",
  ],
};

/** The types of resolved settings are what config/ hands down: everybody may name them. */
const SETTINGS = "config/settings.ts";

const root = path.dirname(import.meta.dirname);

function filesBelow(folder: string, suffix: string): readonly string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(suffix) && !file.includes("generated") && !file.startsWith("fixtures"))
    .map((file) => path.join(folder, file))
    .sort();
}

const read = (file: string) => readFileSync(path.join(root, file), "utf8");
const source = filesBelow("src", ".ts");
const project = [...source, ...["assembly", "test", "bench"].flatMap((folder) => filesBelow(folder, ".ts"))];
const scripts = ["build", "bench"].flatMap((folder) => filesBelow(folder, ".mjs"));

/** What follows `from` or stands in `import(...)`, at the end of a statement or in an expression. */
function importsOf(file: string): readonly string[] {
  const found = read(file).matchAll(/(?:^|[\s}*])(?:from|import)\s*\(?\s*"([^"\s]+)"/g);
  return [...found].map(([, name]) => name as string);
}

/** The folder of src/ that a file belongs to, or the file itself if it stands at the top. */
function partOf(file: string): string {
  return path.relative("src", file).split("/")[0] as string;
}

function relativeImports(file: string): readonly string[] {
  const relative = importsOf(file).filter((name) => name.startsWith("."));
  return relative.map((name) => path.relative("src", path.join(path.dirname(file), name)));
}

describe("layers", () => {
  test("the rules name every part", () => {
    const parts = [...new Set(source.map(partOf))].filter((part) => !LEAVES.includes(part));
    expect(Object.keys(MAY_IMPORT)).toEqual(expect.arrayContaining(parts));
  });

  test.each(source)("%s imports downward only", (file) => {
    const part = partOf(file);
    const allowed = [part, ...LEAVES, ...(MAY_IMPORT[part] ?? [])];
    const upward = relativeImports(file).filter(
      (to) => to !== SETTINGS && !allowed.includes(to.split("/")[0] ?? ""),
    );
    expect(upward).toEqual([]);
  });

  test.each(source.filter((file) => /^src\/(wal|ltx)\//.test(file)))("%s does no I/O", (file) => {
    const io = importsOf(file).filter((name) =>
      /^node:(fs|net|http|https|child_process|stream|os)/.test(name),
    );
    expect(io).toEqual([]);
  });

  test("production code does not know the tests", () => {
    const out = source.flatMap((file) => relativeImports(file).filter((to) => to.startsWith("..")));
    expect(out).toEqual([]);
  });
});

test("each package has one door", () => {
  const doors = new Map<string, string[]>();
  for (const file of source) {
    if (file.endsWith(".d.ts")) continue;
    for (const name of new Set(importsOf(file))) {
      if (name.startsWith(".") || name.startsWith("node:")) continue;
      const packageName = name
        .split("/")
        .slice(0, name.startsWith("@") ? 2 : 1)
        .join("/");
      doors.set(packageName, [...new Set([...(doors.get(packageName) ?? []), file])]);
    }
  }
  expect([...doors].filter(([, files]) => files.length > 1)).toEqual([]);
  const { dependencies, devDependencies } = JSON.parse(read("package.json"));
  expect(Object.keys({ ...dependencies, ...devDependencies })).toEqual(
    expect.arrayContaining([...doors.keys()]),
  );
  expect([...doors.keys()]).toEqual(expect.arrayContaining(Object.keys(dependencies)));
});

test("no file is longer than 400 lines", () => {
  const long = [...source, ...filesBelow("assembly", ".ts")].filter(
    (file) => read(file).split("\n").length > 401,
  );
  expect(long).toEqual([]);
});

test("names: kebab-case, no utils", () => {
  const names = [...project, ...scripts].map((file) => path.basename(file));
  const shape =
    /^([a-z0-9]+(-[a-z0-9]+)*|[A-Z]\d+(-[A-Za-z0-9]+)*)(\.(test|torture|thorough|fuzz|d|config))?\.(ts|mjs)$/; // a goal's id in bench/
  expect(names.filter((name) => !shape.test(name))).toEqual([]);
  expect(project.filter((file) => /(^|[/-])(utils?|helper|misc|common)\b[^/]*$/.test(file))).toEqual([]);
});

test("tests mirror the source", () => {
  const whole = [
    "e2e",
    "interop",
    "bench",
    "property",
    "fault",
    "fuzz",
    "security",
    "simulation",
    "soak",
    "helpers",
    "cli",
    "python",
    "pitfalls.test.ts",
    "structure.test.ts",
  ]; // of the program, not of one folder
  const parts = ["assembly", ...whole, ...source.map(partOf)];
  const strays = filesBelow("test", ".test.ts").filter((file) => {
    const [part = ""] = path.relative("test", file).split("/");
    return !parts.includes(part) && !parts.includes(part.replace(".test.ts", ".ts"));
  });
  expect(strays).toEqual([]);
});

test("nothing is left to do later in the code", () => {
  const marks = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`);
  expect([...project, ...scripts].filter((file) => marks.test(read(file)))).toEqual([]);
});

test("the lock file works with every registry", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { resolved?: string }>;
  };
  expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});
