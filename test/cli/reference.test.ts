import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import {
  DEFAULT_COMPACTION,
  DEFAULT_CONCURRENCY,
  DEFAULT_METRICS,
  DEFAULT_PART_SIZE_BYTES,
  DEFAULT_REGION,
  DEFAULT_RETENTION,
  DEFAULT_RETRY,
  DEFAULT_SHADOW_MAX_SIZE_BYTES,
  DEFAULT_SYNC,
} from "../../src/config/defaults.ts";
import { type AnyKeyTable, SECTION_KEYS } from "../../src/config/keys.ts";
import { check } from "../../src/config/schema.ts";
import { ERROR_KINDS } from "../../src/errors.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { runWalrust } from "../helpers/e2e/walrust.ts";

/* docs/reference.md says what the program can do, and which test holds it. Neither may change alone. */

const PROJECT = path.resolve(import.meta.dirname, "../..");
const page = readFileSync(path.join(PROJECT, "docs/reference.md"), "utf8");

/** The rows of the table under a heading, as cells; `\|` is a bar within one. */
function rowsUnder(heading: string): readonly (readonly string[])[] {
  const [, section = ""] = page.split(`\n${heading}\n`);
  const [own = ""] = section.split(/\n#{2,3} /);
  const rows = own.split("\n").filter((line) => line.startsWith("| "));
  return rows.slice(1).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll("\\|", "|")),
  );
}

const headings = [...page.matchAll(/^#{2,3} (.*)$/gm)].map(([, title = ""]) => title);
const code = (text: string) => text.replace(/^`(.*)`$/, "$1");

/** What `walrust COMMAND --help` shows of it. */
interface Help {
  readonly name: string;
  readonly sentence: string;
  readonly flags: readonly { readonly flag: string; readonly what: string }[];
}

async function helpOf(name: string): Promise<Help> {
  const { stdout } = await runWalrust(scene(), [name, "--help"]);
  const [, options = ""] = /\nOptions\n([\s\S]*?)\n\n/.exec(stdout) ?? [];
  const flags = options.split("\n").map((line) => {
    const [flag = "", what = ""] = line.trim().split(/ {2,}/);
    return { flag, what };
  });
  return { name, sentence: stdout.split("\n")[0] ?? "", flags };
}

/** In the order in which help shows them. */
async function allHelp(): Promise<readonly Help[]> {
  const { stdout } = await runWalrust(scene(), ["--help"]);
  const [, commands = ""] = /\nCommands\n([\s\S]*?)\n\n/.exec(stdout) ?? [];
  return Promise.all(commands.split("\n").map((line) => helpOf(line.trim().split(" ")[0] ?? "")));
}

const documentedFlags = (heading: string) =>
  rowsUnder(`### ${heading}`).map(([flag = "", what = ""]) => ({ flag: flag.replaceAll("`", ""), what }));

test("each command is there, in the order of the help, with its sentence and its flags with theirs", async () => {
  const commands = await allHelp();
  expect(commands.length).toBeGreaterThan(5);
  const from = headings.indexOf("all commands") + 1;
  const names = commands.map(({ name }) => name);
  expect(headings.slice(from, headings.indexOf("walrust.toml"))).toEqual(names);
  const shared = documentedFlags("all commands");
  expect(shared.map(({ flag }) => flag.split(/[ ,]/)[0])).toEqual(["-b", "--endpoint", "--config", "--json"]);
  for (const { name, sentence, flags } of commands) {
    expect(page).toContain(`### ${name}\n\n${sentence}.\n`);
    expect([...documentedFlags(name), ...shared], name).toEqual(flags);
  }
});

/** A value that no setting takes. */
const NONSENSE = "%";
/** Flags of watch that are no settings, or take anything for a value. */
const NO_SETTINGS = ["-b", "--endpoint", "--config", "--exec", "--shadow-dir"];

// The message takes the flag's name from the key that it was given to: had it gone to another one, another would be named.
test("a flag of watch that is a setting gives that setting", async () => {
  const at = scene();
  const { flags: all } = await helpOf("watch");
  const flags = all
    .filter(({ flag }) => /[A-Z]/.test(flag) || flag === "--on-startup")
    .map(({ flag }) => flag.split(/[ ,]/)[0] ?? "")
    .filter((flag) => !NO_SETTINGS.includes(flag));
  const values = flags.map((flag) => `${flag}=${NONSENSE}`);
  const { code: exitCode, stderr } = await runWalrust(at, ["watch", "app.db", "-b", at.address, ...values]);
  expect(exitCode).toBe(2);
  const refused = stderr.split("\n").flatMap((line) => /(--[a-z-]+): .*"%"/.exec(line)?.[1] ?? []);
  expect(refused.sort()).toEqual([...flags].sort());
});

test("--observe is taken, and needs a place for local state", async () => {
  const at = scene();
  const { code: exitCode, stderr } = await runWalrust(at, ["watch", "app.db", "-b", at.address, "--observe"]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain("app.db is only observed, and there is no place for its local state");
});

describe("keys of walrust.toml", () => {
  const DEFAULTS: Readonly<Record<keyof typeof SECTION_KEYS, object>> = {
    s3: {
      region: DEFAULT_REGION,
      concurrency: DEFAULT_CONCURRENCY,
      partSizeBytes: DEFAULT_PART_SIZE_BYTES,
      layout: "walrust",
    },
    sync: DEFAULT_SYNC,
    retention: DEFAULT_RETENTION,
    retry: DEFAULT_RETRY,
    shadow: { maxSizeBytes: DEFAULT_SHADOW_MAX_SIZE_BYTES },
    log: { level: "info", format: "text" },
    compaction: DEFAULT_COMPACTION,
    encryption: {},
    metrics: { enabled: true, ...DEFAULT_METRICS },
  };

  test.each(Object.entries<AnyKeyTable>(SECTION_KEYS))(
    "[%s]: each key, with its default",
    (section, keys) => {
      const rows = rowsUnder(`### [${section}]`);
      expect(rows.map(([key = ""]) => code(key))).toEqual(Object.keys(keys));
      const defaults = new Map(Object.entries(DEFAULTS[section as keyof typeof SECTION_KEYS]));
      for (const [key = "", given = "", what] of rows) {
        const row = keys[code(key)];
        const checked = row && given !== "" ? check(row.schema, JSON.parse(code(given))) : undefined;
        expect(checked?.ok ? checked.value : undefined, key).toBe(defaults.get(row?.setting ?? ""));
        expect(what, key).not.toBe("");
      }
    },
  );

  test.each([
    ["databases", ["path", "prefix", "exclude"]],
    ["webhooks", ["url", "events", "secret"]],
  ])("[[%s]]", (list, keys) => {
    expect(rowsUnder(`### [[${list}]]`).map(([key = ""]) => code(key))).toEqual(keys);
  });

  test("each section is there", () => {
    const sections = [
      ...Object.keys(SECTION_KEYS).map((name) => `[${name}]`),
      "[[databases]]",
      "[[webhooks]]",
    ];
    expect(headings.filter((title) => title.startsWith("["))).toEqual(sections);
  });
});

test("each variable that the program reads is there", () => {
  /** Written for a library of ours, not read. */
  const WRITTEN = ["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"];
  const sources = readdirSync(path.join(PROJECT, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(path.join(PROJECT, "src", file), "utf8"));
  const read = sources.flatMap((text) =>
    [...text.matchAll(/env\["([A-Z0-9_]+)"\]/g)].map(([, name = ""]) => name),
  );
  const documented = rowsUnder("## Environment").map(([name = ""]) => code(name));
  expect(documented.toSorted()).toEqual([...new Set(read)].filter((name) => !WRITTEN.includes(name)).sort());
});

test("each exit code is there, with the codes of errors that lead to it", () => {
  const documented = rowsUnder("## Exit codes").map(([exitCode = "", , codes = ""]) => [
    Number(exitCode),
    codes === "" ? [] : codes.split(", ").map(code),
  ]);
  const kinds = Object.entries(ERROR_KINDS);
  const codesOf = (exitCode: number) =>
    kinds.flatMap(([name, kind]) => (kind.exitCode === exitCode ? [name] : []));
  expect(documented).toEqual([0, 1, 2, 3, 4, 5, 6].map((exitCode) => [exitCode, codesOf(exitCode)]));
});

describe("each row has a test behind it", () => {
  const rows = headings.flatMap((title) =>
    ["##", "###"].flatMap((level) => rowsUnder(`${level} ${title}`).map((cells) => ({ title, cells }))),
  );
  const cases = rows.map(({ title, cells }) => ({
    what: `${title} ${cells[0]}`,
    file: cells.at(-2) ?? "",
    name: cells.at(-1) ?? "",
  }));

  test.each(cases)("$what: $file", ({ file, name }) => {
    expect(file).toMatch(/^test\/.*\.(test|torture)\.ts$/);
    expect(existsSync(path.join(PROJECT, file)), file).toBe(true);
    const text = readFileSync(path.join(PROJECT, file), "utf8");
    expect(
      ['"', "'", "`"].some((quote) => text.includes(quote + name)),
      `a title that begins so: ${name}`,
    ).toBe(true);
  });
});
