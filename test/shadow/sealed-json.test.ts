import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTextIfThere, seal, unseal } from "../../src/shadow/sealed-json.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

test("comes back as it was sealed", () => {
  const fields = { version: 1, text: 'a"b\\c\nd', list: [1, null], nested: { deep: true } };
  expect(unseal(seal(fields))).toEqual(fields);
});

test.each(["", "\n", "{}\n", '{"a":1}\n00000000\n', `${seal({ a: 1 })}`.replace("1", "2")])(
  "%j was not written by seal",
  (text) => {
    expect(unseal(text)).toBeUndefined();
  },
);

test("a file that is missing is no error, one that cannot be read is", () => {
  const folder = tempFolder();
  writeFileSync(join(folder, "a"), "text");
  mkdirSync(join(folder, "b"));
  expect(readTextIfThere(join(folder, "a"))).toBe("text");
  expect(readTextIfThere(join(folder, "none"))).toBeUndefined();
  expect(() => readTextIfThere(join(folder, "b"))).toThrow(expect.objectContaining({ code: "LOCAL_IO" }));
});
