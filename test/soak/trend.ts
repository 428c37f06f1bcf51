/** One measured value. */
export interface Point {
  readonly atMs: number;
  readonly value: number;
  /** Of the process that it was measured in: a restart begins a new one, and nothing is compared across it. */
  readonly life: number;
}

/** What counts as growth. All of it must hold, so that neither noise nor something tiny that grows surely is called a leak. */
export interface TrendLimits {
  /** What each life needs until it is as it stays. */
  readonly warmUpMs: number;
  /** What comes and goes in long cycles says nothing in a shorter time; 0 if not given. */
  readonly leastSpanMs?: number;
  /** By so much a life must have grown from its warm-up to its end. */
  readonly leastRise: number;
  /** By so much of its median, too: 0.2 is a fifth. */
  readonly leastShare: number;
  /** And so fast. */
  readonly leastPerHour: number;
}

export interface Trend {
  readonly grows: boolean;
  /** Theil-Sen: the median of the slopes between all pairs of windows of one life. */
  readonly perHour: number;
  /** What that makes in the longest life. */
  readonly rise: number;
  readonly median: number;
  /** Mann-Kendall: standard deviations by which rising pairs outnumber falling ones. */
  readonly z: number;
  /** Windows that were judged; too few of them prove nothing. */
  readonly windows: number;
}

interface Window {
  readonly atMs: number;
  readonly value: number;
}

const HOUR_MS = 3_600_000;
/** A window is the median of what lies in it: a sawtooth of garbage collections becomes a level. */
const MOST_WINDOWS = 30;
const LEAST_WINDOW_MS = 4000;
/** Neither half of a shorter life can be told from noise. */
const LEAST_WINDOWS = 8;
/** One-sided p < 0.001. */
const LEAST_Z = 3.1;
/** What a step or a late warm-up leaves behind does not go on; a leak does, also in the later half of its life. */
const LEAST_SHARE_OF_LATE = 1 / 2;

/** Whether the values grow and go on growing. Points may come in any order. Pure. */
export function trendOf(points: readonly Point[], limits: TrendLimits): Trend {
  const { warmUpMs, leastSpanMs = 0 } = limits;
  const lives = livesOf(points, warmUpMs).filter((life) => lengthOf(life) >= leastSpanMs);
  const windowMs = Math.max(LEAST_WINDOW_MS, Math.max(0, ...lives.map(lengthOf)) / MOST_WINDOWS);
  const judged = lives
    .map((life) => windowsOf(life, windowMs))
    .filter((life) => life.length >= LEAST_WINDOWS);
  const all = judged.flat();
  if (all.length === 0) return { grows: false, perHour: 0, rise: 0, median: 0, z: 0, windows: 0 };

  const perHour = slopePerHour(judged);
  const rise = (perHour * Math.max(...judged.map(lengthOf))) / HOUR_MS;
  const median = medianOf(all.map(({ value }) => value));
  const z = mannKendall(judged);
  const early = slopePerHour(judged.map((life) => life.slice(0, life.length >> 1)));
  const late = slopePerHour(judged.map((life) => life.slice(life.length >> 1)));
  const grows =
    z >= LEAST_Z &&
    rise >= limits.leastRise &&
    rise >= limits.leastShare * Math.abs(median) &&
    early >= limits.leastPerHour &&
    late >= Math.max(limits.leastPerHour, perHour * LEAST_SHARE_OF_LATE);
  return { grows, perHour, rise, median, z, windows: all.length };
}

/** Each without its warm-up, by time. */
function livesOf(points: readonly Point[], warmUpMs: number): Window[][] {
  const sorted = [...points].sort((a, b) => a.atMs - b.atMs);
  return [...groupBy(sorted, ({ life }) => life).values()].map((life) => {
    const startMs = life[0]?.atMs ?? 0;
    return life.filter(({ atMs }) => atMs - startMs >= warmUpMs);
  });
}

function lengthOf(life: readonly Window[]): number {
  return (life.at(-1)?.atMs ?? 0) - (life[0]?.atMs ?? 0);
}

function windowsOf(life: readonly Window[], windowMs: number): Window[] {
  const startMs = life[0]?.atMs ?? 0;
  const byNumber = groupBy(life, ({ atMs }) => Math.floor((atMs - startMs) / windowMs));
  return [...byNumber.values()].map((inside) => ({
    atMs: medianOf(inside.map(({ atMs }) => atMs)),
    value: medianOf(inside.map(({ value }) => value)),
  }));
}

/** Theil (1950), Sen (1968). */
function slopePerHour(lives: readonly (readonly Window[])[]): number {
  const slopes = lives.flatMap((life) =>
    life.flatMap((late, index) =>
      life.slice(0, index).map((early) => ((late.value - early.value) / (late.atMs - early.atMs)) * HOUR_MS),
    ),
  );
  return slopes.length === 0 ? 0 : medianOf(slopes);
}

/** Mann (1945), Kendall (1975), with the correction for ties; lives are added up as Hirsch's seasons are (1982). */
function mannKendall(lives: readonly (readonly Window[])[]): number {
  let score = 0;
  let variance = 0;
  for (const life of lives) {
    for (const [index, late] of life.entries()) {
      for (const early of life.slice(0, index)) score += Math.sign(late.value - early.value);
    }
    const ties = [...groupBy(life, ({ value }) => value).values()].map((same) => same.length);
    variance += [life.length, ...ties.map((count) => -count)]
      .map((signed) => Math.sign(signed) * spread(Math.abs(signed)))
      .reduce((sum, part) => sum + part, 0);
  }
  return variance <= 0 ? 0 : (score - Math.sign(score)) / Math.sqrt(variance);
}

const spread = (count: number): number => (count * (count - 1) * (2 * count + 5)) / 18;

function groupBy<T>(items: readonly T[], keyOf: (item: T) => number): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [lower = 0, upper = 0] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return (lower + upper) / 2;
}
