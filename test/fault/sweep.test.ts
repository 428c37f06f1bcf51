import { expect, test } from "vitest";
import { SWEPT, sweep } from "./sweep.ts";

const SEED = 5;

/** All of them: sweep.thorough.ts. */
test.each(SWEPT.map((scene, index) => [scene, SEED + index] as const))(
  "%s: killed at changes of files drawn with seed %d",
  async (scene, seed) => {
    expect(await sweep(scene, { draws: 2, seed })).toBe(2);
  },
  300_000,
);
