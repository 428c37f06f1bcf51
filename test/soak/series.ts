import type { Sample, SeriesName } from "./sampler.ts";
import { type Point, type Trend, type TrendLimits, trendOf } from "./trend.ts";

type Unit = "B" | "ms" | "s" | "";

export interface Series {
  readonly name: SeriesName;
  readonly title: string;
  readonly unit: Unit;
  /** What is growth; absent: it is drawn, not judged. */
  readonly limits?: Omit<TrendLimits, "warmUpMs">;
  /** What it begins anew with: absent, with nothing. */
  readonly begins?: "process" | "work";
}

export interface Judged {
  readonly series: Series;
  readonly points: readonly Point[];
  /** Of the points that count: those of calm. */
  readonly trend: Trend | undefined;
}

const MB = 1e6;
/** Snapshots, compactions and checkpoints come in cycles of half a minute, later on a busy machine. */
const CYCLES_MS = 360_000;
const memory = { leastRise: 20 * MB, leastShare: 0.2, leastPerHour: 20 * MB } as const;
const few = { leastRise: 10, leastShare: 0.2, leastPerHour: 20 } as const;
/** A database that is not parked has eight. */
const descriptors = { leastRise: 60, leastShare: 0.2, leastPerHour: 60 } as const;

/** What is measured, and what of it must not grow. */
export const SERIES: readonly Series[] = [
  { name: "rss", title: "memory of the daemon, RSS", unit: "B", limits: memory, begins: "process" },
  {
    name: "private_dirty",
    title: "memory of the daemon, private dirty",
    unit: "B",
    limits: memory,
    begins: "process",
  },
  {
    name: "descriptors",
    title: "descriptors of the daemon",
    unit: "",
    limits: descriptors,
    begins: "process",
  },
  { name: "sockets", title: "sockets of the daemon", unit: "", limits: few, begins: "process" },
  {
    name: "threads",
    title: "threads of the daemon",
    unit: "",
    limits: { ...few, leastRise: 4 },
    begins: "process",
  },
  {
    ...{ name: "cpu_share", title: "CPU of the daemon, of one core", unit: "" },
    limits: { leastRise: 0.25, leastShare: 0.5, leastPerHour: 0.25, leastSpanMs: CYCLES_MS },
    begins: "process",
  },
  {
    ...{ name: "wal_largest", title: "largest log", unit: "B" },
    limits: { leastRise: 16 * MB, leastShare: 0.5, leastPerHour: 20 * MB, leastSpanMs: CYCLES_MS },
  },
  {
    ...{ name: "wal_total", title: "all logs", unit: "B" },
    limits: { leastRise: 32 * MB, leastShare: 0.3, leastPerHour: 20 * MB, leastSpanMs: CYCLES_MS },
  },
  {
    ...{ name: "shadow", title: "local state", unit: "B" },
    limits: { leastRise: 4 * MB, leastShare: 0.3, leastPerHour: 20 * MB },
    begins: "work",
  },
  {
    ...{ name: "objects", title: "objects in storage", unit: "" },
    limits: { leastRise: 100, leastShare: 0.25, leastPerHour: 200, leastSpanMs: CYCLES_MS },
  },
  {
    ...{ name: "stored", title: "bytes in storage", unit: "B" },
    limits: { leastRise: 10 * MB, leastShare: 0.25, leastPerHour: 20 * MB, leastSpanMs: CYCLES_MS },
  },
  {
    ...{ name: "requests", title: "requests a minute", unit: "" },
    limits: { leastRise: 1000, leastShare: 0.5, leastPerHour: 1000, leastSpanMs: CYCLES_MS },
  },
  { name: "sent", title: "bytes sent a minute", unit: "B" },
  {
    ...{ name: "lag", title: "lag of the database furthest behind", unit: "s" },
    limits: { leastRise: 15, leastShare: 0.5, leastPerHour: 15 },
  },
  {
    ...{ name: "lag_txids", title: "transactions behind", unit: "" },
    limits: { leastRise: 1000, leastShare: 0.5, leastPerHour: 1000 },
  },
  { name: "pending", title: "bytes that storage lacks", unit: "B" },
  { name: "commits", title: "commits a second", unit: "" },
  { name: "stall_max", title: "slowest commit", unit: "ms" },
  {
    ...{ name: "stall_p99", title: "commits, 99th percentile", unit: "ms" },
    limits: { leastRise: 500, leastShare: 1, leastPerHour: 500 },
  },
  {
    ...{ name: "restore", title: "a restore, with the start of the program", unit: "ms" },
    limits: { leastRise: 3000, leastShare: 0.5, leastPerHour: 3000 },
  },
  { name: "replica_rss", title: "memory of the replica, RSS", unit: "B", limits: memory, begins: "process" },
  {
    ...{ name: "replica_private_dirty", title: "memory of the replica, private dirty", unit: "B" },
    ...{ limits: memory, begins: "process" },
  },
  {
    name: "replica_descriptors",
    title: "descriptors of the replica",
    unit: "",
    limits: few,
    begins: "process",
  },
  { name: "replica_sockets", title: "sockets of the replica", unit: "", limits: few, begins: "process" },
];

const WARM_UP = { leastMs: 45_000, mostMs: 180_000, share: 1 / 8 } as const;

/** Every series that has values, and whether it grows. */
export function judge(samples: readonly Sample[]): readonly Judged[] {
  const lengthMs = (samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0);
  const warmUpMs = Math.max(WARM_UP.leastMs, Math.min(WARM_UP.mostMs, lengthMs * WARM_UP.share));
  return SERIES.map((series) => {
    const points = pointsOf(series, samples);
    const calm = pointsOf(
      series,
      samples.filter(({ isCalm }) => isCalm),
    );
    const limits = series.limits && { ...series.limits, warmUpMs };
    return { series, points, trend: limits && trendOf(calm, limits) };
  }).filter(({ points }) => points.length > 0);
}

function pointsOf({ name, begins }: Series, samples: readonly Sample[]): Point[] {
  return samples.flatMap(({ atMs, life, workLife, values }) => {
    const value = values[name];
    if (value === undefined) return [];
    return [{ atMs, value, life: begins === "process" ? life : begins === "work" ? workLife : 0 }];
  });
}

/** A number with its unit, short. */
export function shown(value: number, unit: Unit): string {
  const amount = Math.abs(value);
  if (unit === "B") {
    if (amount >= 1e6) return `${(value / 1e6).toFixed(1)} MB`;
    return amount >= 1e3 ? `${(value / 1e3).toFixed(1)} kB` : `${value.toFixed(0)} B`;
  }
  const digits = amount >= 100 || Number.isInteger(value) ? 0 : amount >= 1 ? 1 : 2;
  return `${value.toFixed(digits)}${unit === "" ? "" : ` ${unit}`}`;
}
