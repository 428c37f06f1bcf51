import { existsSync, mkdirSync, readdirSync, watch } from "node:fs";
import { join } from "node:path";

/** An object that became durable: the moment its final name appeared (both tools write aside, fsync, then rename or link). */
export interface Arrival {
  readonly name: string;
  /** Of process.hrtime (CLOCK_MONOTONIC): the same in all processes of a machine. */
  readonly atNs: bigint;
}

export interface Arrivals {
  readonly seen: readonly Arrival[];
  close(): void;
}

/** Stamps every `.ltx` file that appears in `folder`, which is made if it is not there. */
export function watchArrivals(folder: string): Arrivals {
  mkdirSync(folder, { recursive: true });
  const known = new Set(readdirSync(folder));
  const seen: Arrival[] = [];
  const watcher = watch(folder, { persistent: false }, (_, name) => {
    const atNs = process.hrtime.bigint();
    if (name === null || !name.endsWith(".ltx") || known.has(name) || !existsSync(join(folder, name))) return;
    known.add(name);
    seen.push({ name, atNs });
  });
  return { seen, close: () => watcher.close() };
}
