import { expect } from "vitest";
import { dice } from "../../src/bench/dice.ts";
import { MEANWHILE } from "./crash-scene.ts";
import { around } from "./die-and-live-on.ts";
import type { Moment } from "./dying.ts";
import { SCENES, type SceneName } from "./scenes.ts";

/** What changes something on disk. Stdout has no path. */
const CHANGES = {
  op: /^(create|write|sync|rename|link|remove|mkdir|truncate|chmod|touch)$/,
  path: /\/walrust-e2e-\w+\/./,
} as const;

/** Scenes whose operations are the same each time, in the same order. */
export const SWEPT = [
  "first copy",
  "increments",
  "increments, backfilled",
  "repair",
  "local state lost",
  "snapshot",
  "compact",
  "verify --fix",
  "restore",
  "restore --force",
  "replica: first copy",
  "replica: increments",
  "replica: whole database",
] as const satisfies readonly SceneName[];

/**
 * Kills the program before the n-th operation that changes a file, for each n of a whole run, and half-way through each write. Returns how often.
 * @param options so many of these moments, drawn with the seed; all of them if not given
 */
export async function sweep(
  name: SceneName,
  options: { readonly draws?: number; readonly seed?: number } = {},
): Promise<number> {
  const deaths = drawn(await deathsIn(name), options);
  for (const [index, { nth, when }] of deaths.entries()) {
    const scene = await SCENES[name]("folder", around(MEANWHILE, index));
    const operation = await scene.die({ ...CHANGES, nth, when });
    const what = `${name}, ${when} change ${nth}: ${operation?.op} ${operation?.path}`;
    expect(operation, what).toBeDefined();
    try {
      await scene.afterDeath();
      await scene.liveOn();
    } catch (error) {
      throw new Error(`killed in ${what}`, { cause: error });
    }
  }
  return deaths.length;
}

interface Moments {
  readonly nth: number;
  readonly when: Moment;
}

async function deathsIn(name: SceneName): Promise<readonly Moments[]> {
  const undisturbed = await SCENES[name]("folder", "nothing");
  const changes = (await undisturbed.trace()).filter(
    ({ op, path }) => CHANGES.op.test(op) && CHANGES.path.test(path),
  );
  expect(changes.length, `changes in ${name}`).toBeGreaterThan(4);
  return changes.flatMap(({ op }, index): Moments[] => {
    const nth = index + 1;
    const before = { nth, when: "before" } as const;
    return op === "write" ? [before, { nth, when: "half" }] : [before];
  });
}

function drawn<T>(
  all: readonly T[],
  { draws, seed = 1 }: { readonly draws?: number; readonly seed?: number },
): readonly T[] {
  if (draws === undefined) return all;
  const random = dice(seed);
  return Array.from({ length: draws }, () => around(all, Math.floor(random() * all.length)));
}
