import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { mutate } from "./helpers/mutation.ts";
import { MUTATIONS } from "./pitfalls/mutations.ts";
import { pitfallOf } from "./pitfalls/pitfall-mutation.ts";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));

/** Pitfalls of the list that walrust was built by. */
const COUNT = 60;

const rows = readFileSync(`${PROJECT}test/PITFALLS.md`, "utf8")
  .split("\n")
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) => {
    const [number = "", , file = "", name = "", takenOut = ""] = line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
    return { number: Number(number), file, name, takenOut: takenOut === "" ? [] : takenOut.split("<br>") };
  });

test("every pitfall has a row, and a fix that was taken out", () => {
  const all = Array.from({ length: COUNT }, (_, index) => index + 1);
  expect([...new Set(rows.map(({ number }) => number))].toSorted(ascending)).toEqual(all);
  expect([...new Set(MUTATIONS.map(pitfallOf))].toSorted(ascending)).toEqual(all);
});

test.each(rows)("$number is held by $file: $name", ({ file, name }) => {
  expect(existsSync(PROJECT + file), file).toBe(true);
  expect(hasTitle(file, name), "a title that begins so").toBe(true);
});

describe("what is taken out", () => {
  test("has an ID of its own, and stands in the table", () => {
    expect(new Set(MUTATIONS.map(({ id }) => id)).size).toBe(MUTATIONS.length);
    const told = rows.flatMap(({ number, file, takenOut }) =>
      takenOut.map((cell) => `${number} | ${file} | ${cell}`),
    );
    const expected = MUTATIONS.map((mutation) => {
      const { id, file, what, test: testFile } = mutation;
      return `${pitfallOf(mutation)} | ${testFile} | ${id} \`${file}\`: ${what}`;
    });
    expect(told.toSorted()).toEqual(expected.toSorted());
  });

  test.each(MUTATIONS)("$id fits the code, and names a test: $what", (mutation) => {
    mutate(readFileSync(PROJECT + mutation.file, "utf8"), mutation);
    expect(hasTitle(mutation.test, mutation.title), "a title that begins so").toBe(true);
  });
});

function hasTitle(file: string, start: string): boolean {
  const text = readFileSync(PROJECT + file, "utf8");
  return ['"', "'", "`"].some((quote) => text.includes(quote + start));
}

function ascending(a: number, b: number): number {
  return a - b;
}
