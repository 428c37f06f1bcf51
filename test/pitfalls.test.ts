import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));

/** Numbers whose tests must exist by now; the rest belongs to functions that are still to come. */
const EXPECTED = ["1-50", "52-60"].flatMap(range);
const GAP = "-";

const rows = readFileSync(`${PROJECT}test/PITFALLS.md`, "utf8")
  .split("\n")
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) => {
    const [number = "", , file = "", name = ""] = line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
    return { number: Number(number), file, name };
  });

test("every pitfall has a row", () => {
  expect([...new Set(rows.map(({ number }) => number))]).toEqual(EXPECTED);
});

test.each(rows.filter(({ file }) => file !== GAP))("$number is held by $file: $name", ({ file, name }) => {
  expect(existsSync(PROJECT + file), file).toBe(true);
  const text = readFileSync(PROJECT + file, "utf8");
  const isTitle = ['"', "'", "`"].some((quote) => text.includes(quote + name));
  expect(isTitle, "a title that begins so").toBe(true);
});

function range(text: string): number[] {
  const [first = 0, last = 0] = text.split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
