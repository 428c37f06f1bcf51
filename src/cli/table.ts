import Table from "cli-table3";
import { printable } from "../printable.ts";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

const BARE = {
  ...Object.fromEntries(
    ["top", "bottom", "mid", "left", "right"].flatMap((side) => [
      [side, ""],
      [`${side}-mid`, ""],
      [`${side}-left`, ""],
      [`${side}-right`, ""],
    ]),
  ),
  "left-mid": "",
  "mid-mid": "",
  "right-mid": "",
  middle: "  ",
};

/** Columns without lines, two spaces apart: easy on the eye, and on cut and awk. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ align }) => align ?? "left"),
    chars: BARE,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...rows.map((row) => row.map(printable)));
  const lines = table.toString().split("\n");
  return lines.map((line) => line.trimEnd()).join("\n");
}
