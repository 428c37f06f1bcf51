import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkLayer } from "../../../src/config/config-file.ts";
import { DEFAULT_RETENTION, DEFAULT_SYNC } from "../../../src/config/defaults.ts";
import { parseDuration } from "../../../src/config/durations.ts";
import { readEnvironment, wantsColor } from "../../../src/config/environment.ts";
import { flagLayer } from "../../../src/config/flags.ts";
import { expandGlob, globFolder, isGlob } from "../../../src/config/globs.ts";
import { type AnyKeyTable, SECTION_KEYS } from "../../../src/config/keys.ts";
import { resolveSettings } from "../../../src/config/resolve.ts";
import { parseSize } from "../../../src/config/sizes.ts";
import { parseToml } from "../../../src/config/toml.ts";
import { writeToml } from "../../../src/config/write-toml.ts";
import { sandbox } from "../sandbox.ts";
import { inputOf, type Target, textOf } from "../target.ts";

const CONFIG = `# everything
[s3]
bucket = "s3://copies/prefix"
endpoint = "http://127.0.0.1:9000"
force_path_style = true
part_size = "8MiB"
[sync]
wal_sync_interval = "500ms"
snapshot_interval = 3600
observe = false
[retention]
hourly = 24
daily = 0
[retry]
max_retries = 5
base_delay_ms = 100
[shadow]
dir = "shadow"
max_size = "5GiB"
[log]
level = "debug"
[encryption]
key_file = "backup.key"
[metrics]
port = 16767
[[webhooks]]
url = "https://example.com/hook"
events = ["gap_repaired"]
[[databases]]
path = "app.db"
prefix = "tenants/app"
max_changes = 10
[[databases]]
path = "data/*.db"
exclude = ["tmp*", 'x.db']
hourly = 3
`;
const SMALL = '[s3]\nbucket = "bucket"\n[[databases]]\npath = "a.db"\n[sync]\non_idle = 1.5\n';
const ODD =
  "a.b.c = 1\n\"quoted key\" = '''multi\nline'''\nt = 1979-05-27T07:32:00Z\nd = [1, [2.5, inf], {x = 0x1f}]\n[x.y]\n";
const SECTIONS = Object.entries<AnyKeyTable>(SECTION_KEYS).flatMap(([name, rows]) => [
  name,
  ...Object.keys(rows),
]);
const TOML_WORDS = [
  ...SECTIONS,
  "[[databases]]",
  "[[webhooks]]",
  "[s3]",
  "0x1F",
  "1_000",
  "1979-05-27",
  "07:32:00",
  "+inf",
  "'''",
  '"""',
  "=",
  ".",
];

const toml: Target = {
  name: "toml",
  holds: "every key has a line; nothing but the document itself is changed by it",
  input: "text",
  words: TOML_WORDS,
  seeds: () => [CONFIG, SMALL, ODD].map(inputOf),
  codes: ["CONFIG_INVALID"],
  inputs: 700,
  run(input) {
    const text = textOf(input);
    const before = Object.getOwnPropertyNames(Object.prototype).length;
    const parsed = parseToml(text, "walrust.toml");
    assert.equal(Object.getOwnPropertyNames(Object.prototype).length, before);
    const lines = text.split(/\r\n|\n/).length;
    for (const key of Object.keys(parsed.value)) {
      const line = parsed.lineOf([key]);
      assert(line >= 1 && line <= lines, `line ${line} of ${lines}`);
    }
    return parsed.value;
  },
};

const config: Target = {
  name: "config",
  holds: "settings, or every problem with its place",
  input: "text",
  words: TOML_WORDS,
  seeds: () => [CONFIG, SMALL].map(inputOf),
  codes: ["CONFIG_INVALID"],
  inputs: 500,
  async run(input) {
    const document = parseToml(textOf(input), "walrust.toml");
    const locate = (path: readonly (string | number)[]) => ({
      text: `line ${document.lineOf(path)}`,
      details: {},
    });
    const layer = checkLayer({ value: document.value, locate });
    // Patterns are looked up in the file system: only below a folder of our own.
    const isInside = layer.databases.every(({ path }) => /^[^/~]/.test(path) && !path.includes(".."));
    if (!isInside) return layer;
    const cwd = filesFolder();
    writeFileSync(join(cwd, "walrust.toml"), input);
    return resolveSettings({ flags: {}, configPath: "walrust.toml", paths: [], env: {}, cwd });
  },
};

/** A folder with a few files that patterns may match. */
function filesFolder(): string {
  const folder = join(sandbox().scratch, "files");
  mkdirSync(join(folder, "data", "eu"), { recursive: true });
  for (const name of ["app.db", "data/a.db", "data/b.db", "data/b.db-wal", "data/eu/c.db"])
    writeFileSync(join(folder, name), "");
  return folder;
}

const settings = { sync: DEFAULT_SYNC, retention: DEFAULT_RETENTION };

const globs: Target = {
  name: "globs",
  holds: "matches lie below the pattern's folder, none is a log or an index",
  input: "text",
  words: [
    "{1..999999999}",
    "+(a|aa)",
    "{a..z}",
    "*",
    "**",
    "?",
    "[ab]",
    "{a,b}",
    "!(a)",
    "+(a|b)",
    ".db",
    "data/",
    "/",
  ],
  seeds: () => ["data/*.db\ntmp*", "**/*.db\nb.db", "data/{a,b}.db\n", "data/[a-b].*\n*.bak"].map(inputOf),
  codes: ["CONFIG_INVALID"],
  inputs: 250,
  async run(input) {
    const [pattern = "", ...exclude] = textOf(input).split("\n");
    // What the configuration refuses, and what leads out of the folder.
    if (
      /\0|\.\./.test(pattern) ||
      pattern.length > 4000 ||
      exclude.some(({ length }) => length > 4000) ||
      exclude.some((one) => one.includes("/")) ||
      !isGlob(pattern)
    )
      return undefined;
    const folder = filesFolder();
    const absolute = join(folder, pattern);
    const found = await expandGlob({ pattern: absolute, exclude, ...settings });
    for (const { path } of found) {
      assert(path.startsWith(folder), path);
      assert.doesNotMatch(path, /-(wal|shm|journal)$/);
    }
    return [globFolder(absolute).slice(folder.length), found.map(({ path }) => path.slice(folder.length))];
  },
};

const amounts: Target = {
  name: "durations-and-sizes",
  holds: "whole milliseconds and whole bytes, which say the same when they are written down",
  input: "text",
  words: ["ms", "s", "m", "h", "d", "KiB", "MiB", "GB", "TiB", "."],
  seeds: () => ["500ms", "5s", "2m", "1.5h", "7d", "90", "512KiB", "8 MiB", "10MB", "0"].map(inputOf),
  codes: [],
  inputs: 3000,
  run(input) {
    const text = textOf(input);
    const amountsOf = [text, Number(text)].map((given) => [parseDuration(given), parseSize(given)] as const);
    for (const [ms, bytes] of amountsOf) {
      if (ms !== undefined) assert.equal(parseDuration(`${ms}ms`), Math.abs(ms));
      if (bytes !== undefined) assert.equal(parseSize(String(bytes)), Math.abs(bytes));
    }
    return amountsOf;
  },
};

const LEVELS = ["error", "warn", "info", "debug", "trace"];

const environment: Target = {
  name: "environment",
  holds: "a level that the log knows, or none",
  input: "text",
  words: ["walrust", "=", ",", "debug", "off", "TRACE", "::"],
  seeds: () => ["info", "warn,walrust=debug,other=trace", "walrust::x=off"].map(inputOf),
  codes: ["CONFIG_INVALID"],
  inputs: 1500,
  run(input) {
    const text = textOf(input);
    const { logLevel } = readEnvironment({ WALRUST_LOG: text, AWS_REGION: text });
    if (logLevel !== undefined) assert(LEVELS.includes(logLevel));
    return [logLevel, readEnvironment({ RUST_LOG: text }).logLevel, wantsColor({ NO_COLOR: text })];
  },
};

const flags: Target = {
  name: "flags",
  holds: "settings, or the flag that is wrong",
  input: "text",
  words: SECTIONS,
  seeds: () =>
    [
      "sync wal_sync_interval 5s",
      "s3 part_size 8MiB",
      "retention hourly 7",
      "metrics port 16767",
      "s3 bucket b",
    ].map(inputOf),
  codes: ["CONFIG_INVALID"],
  inputs: 1500,
  run(input) {
    const [section = "", key = "", ...rest] = textOf(input).split(" ");
    if (!Object.hasOwn(SECTION_KEYS, section)) return undefined;
    return checkLayer(flagLayer({ [section]: { [key]: rest.join(" ") } }));
  },
};

const written: Target = {
  name: "written-toml",
  holds: "what the library hands to the daemon arrives as it was given",
  input: "text",
  words: ["\\", '"', "\u007f", "\n"],
  seeds: () => ["/data/app.db", 'C:\\x"y', "ä\u2028🦭"].map(inputOf),
  codes: [],
  inputs: 600,
  run(input) {
    // The parser of TOML reads no text of hundreds of thousands of characters; a path has 4096 at most.
    const text = textOf(input.subarray(0, 10_000));
    const given = {
      url: text,
      storage: { region: text },
      sync: { walSyncIntervalMs: 1500 },
      databases: [{ path: text, prefix: text }],
    };
    const { value } = parseToml(writeToml(given), "f");
    assert.deepEqual(value, {
      s3: { bucket: text, region: text },
      sync: { wal_sync_interval: "1500ms" },
      retry: {},
      databases: [{ path: text, prefix: text }],
    });
    return text;
  },
};

export const CONFIG_TARGETS: readonly Target[] = [toml, config, globs, amounts, environment, flags, written];
