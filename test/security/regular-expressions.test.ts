import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

/*
 * A regular expression that tries a text again from every position takes minutes for some kilobytes of the wrong text. Every one of src/
 * is given long runs of every character that it speaks of, with an end that does not fit.
 */

const LENGTH = 20_000;
/** Quadratic time is a second and more at that length, linear time less than a millisecond. */
const LIMIT_MS = 400;

/** Only ever see texts of this program itself, or of the one who configures it. */
const OWN_TEXTS = ["src/cli/help.ts", "src/config/names.ts"];

const LITERAL =
  /(?<=[(=,:?!&|[{}]\s?|return |^\s*)\/(?![*/])((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+)\/([dgimsuvy]*)(?=[\s.,;)\]])/gm;

const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.includes("generated"))
  .map((file) => `src/${file}`);

const found = sources.flatMap((file) =>
  [...readFileSync(file, "utf8").matchAll(LITERAL)].map(
    ([, source = "", flags = ""]) => [file, source, flags] as const,
  ),
);

describe("no regular expression takes long", () => {
  test("they are found", () => {
    expect(found.length).toBeGreaterThan(50);
  });

  test.each(found.filter(([file]) => !OWN_TEXTS.includes(file)))("%s: /%s/%s", (_file, source, flags) => {
    const expression = new RegExp(source, flags);
    const characters = new Set([...' a0A/.-@=\n<:,\\"\t', ...source.replace(/\\./g, "")]);
    for (const character of characters)
      for (const [before, after] of [
        ["", "!"],
        ["", "\n"],
        ["a", "\0"],
        ["<Code>", ""],
      ]) {
        const text = before + character.repeat(LENGTH) + after;
        // The best of three: the machine may have had other things to do.
        const times = [0, 1, 2].map(() => {
          const started = process.cpuUsage();
          text.replace(expression, "");
          const { user } = process.cpuUsage(started);
          return user / 1000;
        });
        expect(Math.min(...times), JSON.stringify(character)).toBeLessThan(LIMIT_MS);
      }
  });
});
