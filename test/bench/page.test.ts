import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { WORKLOADS } from "../../bench/compare/index.ts";
import { HEADLINES } from "../../bench/page/headlines.ts";
import { BEGIN, END, pageOf, readmeWith } from "../../bench/page/page.ts";
import { placesIn } from "../../bench/page/write-page.ts";
import { readResults, type SavedResult } from "../../bench/saved-result.ts";
import { DEFAULT_OPTIONS } from "../../src/bench/workload.ts";

const places = placesIn(fileURLToPath(new URL("../..", import.meta.url)));
const PEERLESS = ["C1"];

/** As a run with the usual sizes would leave it: ours has `ours` for everything, Litestream `peer`. */
function measured(id: string, { ours = 2, peer = 4 } = {}): SavedResult {
  const workload = WORKLOADS.find((one) => one.id === id);
  if (workload === undefined) throw new Error(`no workload ${id}`);
  const measures = workload.measures(DEFAULT_OPTIONS);
  const runs = (value: number) =>
    [0.5, 1, 2].map((factor) => Object.fromEntries(measures.map(({ name }) => [name, value * factor])));
  return {
    ...{ id, title: workload.title, measures, knobs: ["a knob"] },
    command: `npm run bench -- ${id} --runs 3`,
    measuredAt: "2026-01-31T12:00:00.000Z",
    tookSeconds: 60,
    machine: { platform: "linux", arch: "x64", processor: "Some", cores: 2, memoryBytes: 8e9, node: "v20" },
    loadBefore: 0.25,
    tools: [
      { name: "walrust", version: "0.1.0", runs: runs(ours) },
      ...(PEERLESS.includes(id) ? [] : [{ name: "litestream", version: "0.5.17", runs: runs(peer) }]),
    ],
  };
}

/** The cells of all rows of tables that have figures. */
function tableRows(markdown: string): readonly (readonly string[])[] {
  const lines = markdown.split("\n").filter((line) => /^\| [A-Z]\d/.test(line));
  return lines.map((line) => line.slice(2, -2).split(" | "));
}

describe("what is in the repository is what its results give", () => {
  const results = readResults(places.results);
  const { markdown, charts } = pageOf(results, WORKLOADS);

  test("the page", () => {
    expect(readFileSync(places.page, "utf8")).toBe(markdown);
  });

  test("its charts, and no others", () => {
    const files = existsSync(places.charts) ? readdirSync(places.charts) : [];
    const found = files.map((file) => [file, readFileSync(`${places.charts}/${file}`, "utf8")]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(charts.map(({ file, svg }) => [file, svg])));
  });

  test("the table of README.md", () => {
    const readme = readFileSync(places.readme, "utf8");
    expect(readmeWith(readme, results)).toBe(readme);
  });

  test("each workload has figures, or is said not to be measured", () => {
    const named = (id: string) => markdown.includes(`| ${id} |`) || markdown.includes(`- ${id}, `);
    expect(WORKLOADS.filter(({ id }) => !named(id))).toEqual([]);
  });

  test("nothing was measured that cannot be measured again", () => {
    const ids = WORKLOADS.map(({ id }) => id);
    expect(results.filter(({ id }) => !ids.includes(id))).toEqual([]);
  });
});

test.each(WORKLOADS.map(({ id }) => id))("%s: a row a measure, each with the command that makes it", (id) => {
  const result = measured(id);
  const rows = tableRows(pageOf([result], WORKLOADS).markdown);
  expect(rows.map(([found]) => found)).toEqual(result.measures.map(() => id));
  expect(rows.map((row) => row.at(-1))).toEqual(result.measures.map(() => `\`${result.command}\``));
  const goals = result.measures.filter(
    ({ goal, goalRatio }) => goal !== undefined || goalRatio !== undefined,
  );
  expect(rows.filter((row) => /^[≤≥] /.test(row.at(-3) ?? ""))).toHaveLength(goals.length);
});

test("medians with their range, the ratio, the goal and whether it is reached", () => {
  const measures = [
    { name: "speed", unit: "MB/s", better: "more", goal: 3 },
    { name: "CPU", unit: "", better: "less", goalRatio: 0.5 },
    { name: "size", unit: "MB", better: "less" },
  ] as const;
  const runs = (value: number) =>
    [0.5, 1, 2].map((factor) => ({ speed: value * factor, CPU: value * factor, size: value }));
  const result: SavedResult = {
    ...measured("S1"),
    measures,
    tools: [
      { name: "walrust", version: "1", runs: runs(2) },
      { name: "litestream", version: "1", runs: runs(4) },
    ],
  };
  const command = "`npm run bench -- S1 --runs 3`";
  const both = ["2.00 (1.00 to 4.00)", "4.00 (2.00 to 8.00)", "0.5x"];
  expect(tableRows(pageOf([result], WORKLOADS).markdown)).toEqual([
    ["S1", "speed, MB/s ↑", ...both, "≥ 3.00", "**no**", command],
    ["S1", "CPU ↓", ...both, "≤ 0.5x", "yes", command],
    ["S1", "size, MB ↓", "2.00 (2.00 to 2.00)", "4.00 (4.00 to 4.00)", "0.5x", "", "", command],
  ]);
});

test("a peer that is void has no figure anywhere, and the page says why", () => {
  const { tools, ...rest } = measured("S1");
  const [ours] = tools;
  if (ours === undefined) throw new Error("no tool");
  const peer = { name: "litestream", version: "0.5.17", void: "restores differ" };
  const { markdown, charts } = pageOf([{ ...rest, tools: [ours, peer] }], WORKLOADS);
  expect(tableRows(markdown)[0]?.slice(3, 5)).toEqual(["void", ""]);
  expect(markdown).toContain("Litestream is void: restores differ.");
  expect(charts).toEqual([]);
});

test("what is measured beside nobody says so", () => {
  expect(pageOf([measured("C1")], WORKLOADS).markdown).toContain("; measured beside nobody; ");
});

test("what was not measured is listed with its command", () => {
  const { markdown } = pageOf([measured("S1")], WORKLOADS);
  expect(markdown).toContain("- R1, restore of one large database: `npm run bench -- R1 --save`");
  expect(markdown).not.toContain("- S1, ");
});

describe("README.md", () => {
  const readme = `before\n${BEGIN}\nan older table\n${END}\nafter\n`;

  test("gets the table of the headlines between its marks, and nothing else is touched", () => {
    const made = readmeWith(readme, [measured("S1")]);
    expect(made.startsWith(`before\n${BEGIN}\n`) && made.endsWith(`\n${END}\nafter\n`)).toBe(true);
    expect(made).toContain("2.00 | 4.00 | 0.5x | `npm run bench -- S1 --runs 3` |");
    expect(made).not.toContain("an older table");
    expect(readmeWith(made, [measured("S1")])).toBe(made);
  });

  test("without marks is refused", () => {
    expect(() => readmeWith("nothing", [])).toThrow("README.md has no ");
  });
});

test.each(HEADLINES)("the headline '$label' is a measure of $id", ({ id, measure }) => {
  const workload = WORKLOADS.find((one) => one.id === id);
  expect(workload?.measures(DEFAULT_OPTIONS).map(({ name }) => name)).toContain(measure);
});

describe("charts", () => {
  const { markdown, charts } = pageOf([measured("M1"), measured("S1", { peer: 0.2 })], WORKLOADS);
  const chart = (name: string) => charts.find(({ file }) => file === name)?.svg ?? "";

  test("the page shows them", () => {
    expect(charts.map(({ file }) => markdown.includes(`](benchmarks/${file})`))).toEqual([true, true]);
  });

  test("ratios: better goes to the right of 1, worse to the left", () => {
    const lefts = [...chart("ratios.svg").matchAll(/class="series0" x="([\d.]+)"/g)].map(([, x]) =>
      Number(x),
    );
    const texts = [...chart("ratios.svg").matchAll(/>([\d.]+)x</g)].map(([, times]) => Number(times));
    expect(texts).toEqual(expect.arrayContaining([2, 10, 0.1]));
    expect(new Set(lefts).size).toBe(2);
  });

  test("memory: a bar for each tool and number of databases, as long as its figure", () => {
    const bars = [
      ...chart("memory.svg").matchAll(/class="series([01])" x="300.0" y="\d+" width="([\d.]+)" height="14"/g),
    ];
    const [ours, peer] = ["0", "1"].map((series) => bars.filter(([, found]) => found === series));
    expect(ours).toHaveLength(DEFAULT_OPTIONS.sizes.length);
    expect(peer).toHaveLength(DEFAULT_OPTIONS.sizes.length);
    expect(Number(peer?.[0]?.[2])).toBeCloseTo(2 * Number(ours?.[0]?.[2]), 0);
    expect(chart("memory.svg")).toContain("RSS, MB; less is better");
  });

  test("readable on a dark page too", () => {
    expect(charts.filter(({ svg }) => !svg.includes("prefers-color-scheme: dark"))).toEqual([]);
  });
});
