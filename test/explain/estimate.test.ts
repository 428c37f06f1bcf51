import { describe, expect, test } from "vitest";
import { DEFAULT_COMPACTION, DEFAULT_RETENTION, DEFAULT_SYNC } from "../../src/config/defaults.ts";
import type { SyncSettings } from "../../src/config/settings.ts";
import { type EstimatedDatabase, monthlyCost, monthlyLoad, PROFILES } from "../../src/explain/estimate.ts";
import { PRICES } from "../../src/explain/prices.ts";

const MIB = 1024 ** 2;
const HOUR_MS = 3_600_000;
const OPTIONS = { partSizeBytes: 5 * MIB, compaction: DEFAULT_COMPACTION };

function database(sync: Partial<SyncSettings> = {}, sizeBytes = 8 * MIB): EstimatedDatabase {
  return { sizeBytes, pageSizeBytes: 4096, sync: { ...DEFAULT_SYNC, ...sync }, retention: DEFAULT_RETENTION };
}

function load(name: "idle" | "typical" | "ceiling", sync: Partial<SyncSettings> = {}, sizeBytes?: number) {
  const profile = PROFILES.find((candidate) => candidate.name === name);
  if (profile === undefined) throw new Error(name);
  return monthlyLoad([database(sync, sizeBytes)], profile, OPTIONS);
}

describe("requests of a month", () => {
  test("idle: none, and one snapshot is stored", () => {
    expect(load("idle")).toEqual({
      ...{ puts: 0, gets: 0, lists: 0, deletes: 0, uploadedBytes: 0 },
      storedBytes: 4 * MIB + 200,
    });
  });

  test.each<[string, Partial<SyncSettings>, number]>([
    // 8 hours a day: 86,400 publications, 14,400 manifests, 240 snapshots of one PUT
    ["typical", {}, 86_400 + 14_400 + 240],
    ["typical, seldom published", { walSyncIntervalMs: 60_000 }, 14_400 + 14_400 + 240],
    ["typical, manifests seldom", { manifestIntervalMs: HOUR_MS }, 86_400 + 240 + 240],
    ["typical, no scheduled snapshots", { snapshotIntervalMs: 0 }, 86_400 + 14_400],
    ["typical, snapshots by commits", { snapshotIntervalMs: 0, maxChanges: 360 }, 86_400 + 14_400 + 240],
    ["typical, snapshots of each evening", { snapshotIntervalMs: 0, onIdleMs: 1000 }, 86_400 + 14_400 + 30],
    ["ceiling", {}, 2_592_000 + 43_200 + 720],
  ])("PUTs, %s", (name, sync, puts) => {
    expect(load(name.split(",")[0] as "typical", sync).puts).toBe(puts);
  });

  test("a snapshot of more than one part: a PUT each, one before and one after them", () => {
    const whole = load("typical", {}, 8 * MIB).puts;
    expect(load("typical", {}, 30 * MIB).puts - whole).toBe(240 * 5); // 15 MiB: 4 parts of 5 with the 200 bytes
  });

  test("with compaction: everything is read once, merged, and deleted", () => {
    const [without, merged] = [load("ceiling"), load("ceiling", { compactAfterSnapshot: true })];
    expect(without).toMatchObject({ lists: 0, deletes: 0, gets: 43_200 });
    expect(merged.deletes).toBe(720);
    expect(merged.lists).toBe(720 * 6); // an hour of single seconds, 23 of minutes, 55 snapshots: 5,035 files
    expect(merged.gets).toBe(43_200 + 720 + 2_592_000);
    expect(merged.puts - without.puts).toBe(720 + 43_200);
    expect(merged.storedBytes).toBeLessThan(without.storedBytes / 20);
    expect(merged.uploadedBytes).toBeGreaterThan(0);
  });

  test("nothing to merge where one file a step is published anyway", () => {
    const sync = { compactAfterSnapshot: true, walSyncIntervalMs: 60_000 };
    expect(load("ceiling", sync).gets).toBe(43_200 + 720);
  });

  test("validation reads all that is stored, also of an idle database", () => {
    expect(load("idle", { validationIntervalMs: 24 * HOUR_MS })).toMatchObject({ gets: 30, lists: 30 });
  });

  test("two databases cost twice as much as one", () => {
    const profile = PROFILES[1];
    if (profile === undefined) throw new Error("typical");
    const [one, two] = [[database()], [database(), database()]].map((all) =>
      monthlyLoad(all, profile, OPTIONS),
    );
    for (const key of Object.keys(one ?? {}) as (keyof NonNullable<typeof one>)[]) {
      expect(two?.[key], key).toBe(2 * (one?.[key] ?? Number.NaN));
    }
  });

  test.each(["typical", "ceiling"] as const)(
    "%s: compaction does not make more than a month of it",
    (name) => {
      const stored = load(name, { compactIntervalMs: HOUR_MS }).storedBytes;
      expect(stored).toBeGreaterThan(4 * MIB);
      expect(stored).toBeLessThanOrEqual(load(name).storedBytes);
    },
  );
});

describe("costs of a month", () => {
  const month = { puts: 1000, gets: 10_000, lists: 100, deletes: 50, uploadedBytes: 9e9, storedBytes: 300e9 };

  test.each([
    ["AWS", 0.005 + 0.004 + 0.0005 + 300 * 0.023],
    ["R2", 0.0045 + 0.0036 + 0.000_45 + 300 * 0.015],
    ["Tigris", 0.005 + 0.005 + 0.0005 + 300 * 0.02],
    ["B2", 0.004 + 0.0004 + 300 * 0.006],
    ["Wasabi", 6.99],
    ["Spaces", 5 + 50 * 0.02],
  ])("%s", (provider, dollars) => {
    const prices = PRICES[provider];
    if (prices === undefined) throw new Error(provider);
    expect(monthlyCost(month, prices)).toBeCloseTo(dollars, 6);
  });
});
