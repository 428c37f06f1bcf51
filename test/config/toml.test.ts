import { describe, expect, test } from "vitest";
import { parseToml } from "../../src/config/toml.ts";

const TEXT = `
s3.bucket = "copies"

[sync]
max_changes = 5
on_idle = { a = 1, b = [
  1, 2 ] }

[[databases]]
path = "a.db"

[[databases]]
path = "b.db"
exclude = [
  "x",
  "y",
]
`;

describe("parseToml", () => {
  const document = parseToml(TEXT, "walrust.toml");

  test("gives the plain value", () => {
    expect(document.value).toEqual({
      s3: { bucket: "copies" },
      sync: { max_changes: 5, on_idle: { a: 1, b: [1, 2] } },
      databases: [{ path: "a.db" }, { path: "b.db", exclude: ["x", "y"] }],
    });
  });

  test.each([
    [["s3"], 2],
    [["s3", "bucket"], 2],
    [["sync"], 4],
    [["sync", "max_changes"], 5],
    [["sync", "on_idle", "b", 1], 7],
    [["databases"], 9],
    [["databases", 0, "path"], 10],
    [["databases", 1], 12],
    [["databases", 1, "path"], 13],
    [["databases", 1, "exclude", 1], 16],
    [["databases", 1, "missing"], 12],
    [["nowhere"], 1],
  ])("%j stands in line %d", (path, line) => {
    expect(document.lineOf(path)).toBe(line);
  });

  test.each([
    ["a = 1\na = 2", 2],
    ["[a]\nx = 1\n[a]\n", 3],
    ["[a]\nx = ]\n", 2],
    ["x = 01", 1],
    ["x = {a = 1, a = 2}", 1],
    ["x = 'unended", 1],
  ])("%j is refused with its line", (text, line) => {
    expect(() => parseToml(text, "conf/w.toml")).toThrow(
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message: expect.stringContaining(`conf/w.toml:${line}: not valid TOML`),
        details: { file: "conf/w.toml", line },
      }),
    );
  });
});
