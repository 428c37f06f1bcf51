import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keptInputs, keptTargets } from "./corpus.ts";
import { Finding } from "./examine.ts";
import { Fuzzer } from "./fuzzer.ts";
import { closeSandbox, openSandbox } from "./sandbox.ts";
import { TARGETS } from "./targets.ts";

/** What every change has to pass: the kept inputs, and the same number of new ones each time. `npm run fuzz` goes on from there. */
const SEED = 1;

beforeAll(openSandbox);
afterAll(closeSandbox);

test("every kept input belongs to a target, and says what it is", () => {
  expect(TARGETS.map(({ name }) => name)).toEqual(expect.arrayContaining([...keptTargets()]));
  const nameless = TARGETS.flatMap(({ name }) => keptInputs(name)).filter((kept) =>
    kept.name.startsWith("finding-"),
  );
  expect(nameless).toEqual([]);
});

describe.each(TARGETS)("$name: $holds", (target) => {
  test("its seeds, the kept inputs, and those made of them", async () => {
    const fuzzer = await Fuzzer.begin(target, SEED);
    try {
      for (const { name, bytes } of await seedsAndKept(target)) {
        const wrong = await fuzzer.examine(bytes);
        expect(wrong, name).toBeUndefined();
      }
      const known = fuzzer.examined;
      const found = await fuzzer.run(() => fuzzer.examined >= known + target.inputs);
      if (found) throw new Finding(tellFound(target.name, found.input, found.error));
      // A target that refuses everything tests nothing.
      expect(fuzzer.accepted, fuzzer.refusal).toBeGreaterThan(0);
    } finally {
      await fuzzer.close();
    }
  });
});

async function seedsAndKept(target: (typeof TARGETS)[number]) {
  const seeds = (await target.seeds()).map((bytes, at) => ({ name: `seed ${at}`, bytes }));
  return [...seeds, ...keptInputs(target.name)];
}

function tellFound(target: string, input: Uint8Array, error: unknown): string {
  const told = error instanceof Error ? error.message : String(error);
  const bytes = Buffer.from(input);
  return `${target}: ${told}\n${bytes.length} bytes, base64: ${bytes.subarray(0, 600).toString("base64")}\nTo keep a small one of its kind: npm run fuzz -- ${target} --seed ${SEED}`;
}
