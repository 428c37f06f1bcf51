import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keepInput } from "./corpus.ts";
import { Fuzzer } from "./fuzzer.ts";
import { minimize } from "./minimize.ts";
import { closeSandbox, openSandbox } from "./sandbox.ts";
import type { Target } from "./target.ts";
import { TARGETS } from "./targets.ts";

const {
  WALRUST_FUZZ_TARGET: name = "",
  WALRUST_FUZZ_SECONDS: seconds = "10",
  WALRUST_FUZZ_SEED: seed = "1",
  WALRUST_FUZZ_REPLAY: replay = "",
} = process.env;

const PROGRESS_MS = 5000;
const chosen = TARGETS.filter((target) => name === "" || target.name === name);
const say = (text: string) => process.stderr.write(`${text}\n`);

beforeAll(openSandbox);
afterAll(closeSandbox);

test("there is such a target", () => {
  expect(chosen, `one of ${TARGETS.map((target) => target.name).join(", ")}`).not.toEqual([]);
});

test.each(chosen)("$name", async (target) => {
  const fuzzer = await Fuzzer.begin(target, Number(seed));
  try {
    if (replay !== "") {
      expect(await fuzzer.examine(new Uint8Array(readFileSync(replay)))).toBeUndefined();
      return;
    }
    await fuzz(target, fuzzer);
  } finally {
    await fuzzer.close();
  }
});

async function fuzz(target: Target, fuzzer: Fuzzer): Promise<void> {
  const startedMs = performance.now();
  let toldMs = startedMs;
  const tell = () => {
    const perSecond = Math.round((fuzzer.examined / (performance.now() - startedMs)) * 1000);
    const { examined, accepted, outcomes } = fuzzer;
    say(
      `${target.name}: ${examined} inputs (${perSecond}/s), ${accepted} accepted, ${outcomes} outcomes, seed ${seed}`,
    );
  };
  const found = await fuzzer.run(() => {
    const nowMs = performance.now();
    if (nowMs - toldMs >= PROGRESS_MS) {
      tell();
      toldMs = nowMs;
    }
    return nowMs - startedMs >= Number(seconds) * 1000;
  });
  tell();
  if (found === undefined) return;
  const small = await minimize(
    found.input,
    async (input) => kindOf(await fuzzer.examine(input)) === kindOf(found.error),
  );
  const path = relative(new URL("../..", import.meta.url).pathname, keepInput(target.name, small));
  say(
    `kept ${small.length} bytes as ${path}: give it a name that says what is wrong\nnpm run fuzz -- ${target.name} --replay ${path}`,
  );
  throw found.error;
}

/** Making an input smaller must not end at another finding. */
function kindOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/[\d"]+/g, "#").slice(0, 60) : String(error);
}
