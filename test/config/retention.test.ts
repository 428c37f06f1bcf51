import { describe, expect, test } from "vitest";
import { DEFAULT_COMPACTION, DEFAULT_RETENTION, DEFAULT_SYNC } from "../../src/config/defaults.ts";
import { retentionOf, retentionPolicy } from "../../src/config/retention.ts";
import type { DatabaseSettings, GlobSettings, RetentionSettings } from "../../src/config/settings.ts";

const GENERAL: RetentionSettings = { hourly: 5, daily: 5, weekly: 5, monthly: 5 };

const database = (name: string, hourly: number): DatabaseSettings => ({
  ...{ path: `/data/${name}.db`, name, sync: DEFAULT_SYNC },
  retention: { ...GENERAL, hourly },
});
const pattern = (prefix: string | undefined, retention: Partial<RetentionSettings>): GlobSettings => ({
  ...{ pattern: "/data/*.db", exclude: [], sync: DEFAULT_SYNC, retention: { ...GENERAL, ...retention } },
  ...(prefix !== undefined && { prefix }),
});

describe("the retention of a database in storage", () => {
  const globs = [
    pattern("eu/tenants", { hourly: 1, daily: 30 }),
    pattern("eu/tenants", { hourly: 20 }),
    pattern(undefined, { weekly: 9 }),
  ];
  const sources = {
    databases: [database("app", 2), database("eu/tenants/known", 3)],
    globs,
    general: GENERAL,
  };

  test.each<[string, RetentionSettings]>([
    ["app", { ...GENERAL, hourly: 2 }],
    ["eu/tenants/known", { ...GENERAL, hourly: 3 }],
    ["eu/tenants/elsewhere", { ...GENERAL, hourly: 20, daily: 30 }],
    ["elsewhere", { ...GENERAL, weekly: 9 }],
    ["eu/tenants", GENERAL],
    ["eu/tenants/a/b", GENERAL],
  ])("%s", (name, expected) => {
    expect(retentionOf(name, sources)).toEqual(expected);
  });
});

describe("what a command line or a program says over it", () => {
  test("counts only where it is said", () => {
    expect(retentionPolicy({})).toEqual({ retention: DEFAULT_RETENTION, compaction: DEFAULT_COMPACTION });
    const base = { retention: GENERAL, compaction: { fineWindowMs: 2, stepMs: 3 } };
    expect(retentionPolicy({ hourly: 0, daily: undefined, stepMs: 9 }, base)).toEqual({
      retention: { ...GENERAL, hourly: 0 },
      compaction: { fineWindowMs: 2, stepMs: 9 },
    });
  });

  test.each([
    [{ hourly: 0, daily: 0, weekly: 0, monthly: 0 }],
    [{ hourly: -1 }],
    [{ daily: 1.5 }],
    [{ weekly: Number.NaN }],
    [{ monthly: Number.POSITIVE_INFINITY }],
    [{ stepMs: 0 }],
    [{ fineWindowMs: -5 }],
    [{ stepMs: Number.NaN }],
  ])("%j is refused", (given) => {
    expect(() => retentionPolicy(given)).toThrow(expect.objectContaining({ code: "USAGE", exitCode: 2 }));
  });
});
