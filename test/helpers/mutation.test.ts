import { expect, test } from "vitest";
import { type Mutation, mutate } from "./mutation.ts";

const SOURCE = "if (a) stop();\nif (b) stop();\n";
const mutation: Mutation = {
  id: "m",
  what: "b is not asked",
  file: "src/x.ts",
  find: "if (b) ",
  replace: "if ($&) ",
};

test("the text is replaced, literally", () => {
  expect(mutate(SOURCE, mutation)).toBe("if (a) stop();\nif ($&) stop();\n");
});

test.each([
  ["is gone", "if (c) ", "0 times"],
  ["is there twice", "stop();", "2 times"],
  ["is empty", "", "must have it once"],
])("a text that %s: the mutation no longer fits", (_, find, told) => {
  expect(() => mutate(SOURCE, { ...mutation, find })).toThrow(told);
});

test("a mutation that changes nothing is none", () => {
  expect(() => mutate(SOURCE, { ...mutation, replace: mutation.find })).toThrow("changes nothing");
});
