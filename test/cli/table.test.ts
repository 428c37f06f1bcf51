import { expect, test } from "vitest";
import { formatTable } from "../../src/cli/table.ts";

test("columns two spaces apart, nothing behind the last one", () => {
  const columns = [{ title: "NAME" }, { title: "SIZE", align: "right" }, { title: "NOTE" }] as const;
  const rows = [
    ["app", "3.4 kB", ""],
    ["a longer one", "1 B", "snapshot"],
  ];
  expect(formatTable(columns, rows)).toBe(
    ["NAME            SIZE  NOTE", "app           3.4 kB", "a longer one     1 B  snapshot"].join("\n"),
  );
});

test("no rows", () => {
  expect(formatTable([{ title: "NAME" }, { title: "SIZE" }], [])).toBe("NAME  SIZE");
});
