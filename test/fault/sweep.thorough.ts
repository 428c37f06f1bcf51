import { expect, test } from "vitest";
import { SWEPT, sweep } from "./sweep.ts";

test.each(SWEPT)(
  "%s: killed before each change of a file, and half-way through each write",
  async (scene) => {
    expect(await sweep(scene)).toBeGreaterThan(4);
  },
  3_600_000,
);
