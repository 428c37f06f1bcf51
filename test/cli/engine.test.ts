import { describe, expect, test, vi } from "vitest";
import { compilerForSize, Engine } from "../../src/cli/engine.ts";
import type { WalrustEvent } from "../../src/events.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

const PUBLISHED = {
  ...{ database: "app", type: "published", file: "0000/1-1.ltx", minTxid: 1n, maxTxid: 1n },
  ...{ pages: 1, sizeBytes: 100, lagMs: 5 },
} satisfies WalrustEvent;

function begin() {
  const clock = new ManualClock();
  const flags = new Map<string, string>();
  const setFlag = vi.fn((flag: string) => {
    const [name = "", value = ""] = flag.split("=");
    flags.set(name, value);
  });
  const heard = vi.fn();
  const tell = new Engine(clock, setFlag).hearing(heard);
  const publish = async (perSecond: number, seconds: number, commits = 1) => {
    for (let second = 0; second < seconds; second += 1) {
      for (let count = 0; count < perSecond; count += 1) tell({ ...PUBLISHED, maxTxid: BigInt(commits) });
      await clock.advance(1000);
    }
  };
  return { flags, setFlag, heard, tell, publish, clock };
}

const isSmall = (flags: ReadonlyMap<string, string>) => flags.get("--interrupt-budget") === "1000000";

describe("V8's flags in a daemon", () => {
  test.each([
    ["idle", 0, true],
    ["a hundred databases in use", 100, true],
    ["just below a load", 199, true],
    ["a load", 200, false],
    ["five hundred databases in use", 480, false],
  ])("%s", async (_, perSecond, expected) => {
    const { flags, publish } = begin();
    await publish(perSecond, 10);
    expect(isSmall(flags)).toBe(expected);
  });

  test.each([
    ["five hundred databases, two commits in each file", 480, 2, undefined],
    ["one database, thousands of commits in each file", 1, 2600, undefined],
    ["one database at full speed", 1, 4000, "--sparkplug"],
    ["five hundred databases, twenty commits in each file", 480, 20, "--sparkplug"],
  ])("the quick compiler: %s", async (_, perSecond, commits, expected) => {
    const { setFlag, publish } = begin();
    const last = () =>
      setFlag.mock.calls.map(([flag]) => flag).findLast((flag) => flag.endsWith("sparkplug"));
    await publish(perSecond, 10, commits);
    expect(last()).toBe(expected);
    await publish(1, 10);
    expect(last(), "and when it is over").toBe(expected && "--no-sparkplug");
  });

  test("a load that becomes less stays one down to its half, and ends below", async () => {
    const { flags, publish } = begin();
    await publish(400, 5);
    await publish(110, 10);
    expect(isSmall(flags)).toBe(false);
    await publish(90, 10);
    expect(isSmall(flags)).toBe(true);
  });

  test("a pause ends a load with the first publication after it", async () => {
    const { flags, publish, clock, tell } = begin();
    await publish(400, 5);
    await clock.advance(3_600_000);
    tell(PUBLISHED);
    expect(isSmall(flags)).toBe(true);
  });

  test("are set when something changes, and not otherwise", async () => {
    const { setFlag, publish } = begin();
    expect(setFlag).toHaveBeenCalledTimes(1);
    await publish(300, 20);
    expect(setFlag).toHaveBeenCalledTimes(2);
  });

  test("everything is passed on, and what is no publication is no load", async () => {
    const { flags, heard, tell, clock } = begin();
    const parked: WalrustEvent = { database: "app", type: "parked", txid: 1n };
    for (let count = 0; count < 5000; count += 1) tell(parked);
    await clock.advance(2000);
    tell(PUBLISHED);
    expect(heard).toHaveBeenCalledTimes(5001);
    expect(heard).toHaveBeenLastCalledWith(PUBLISHED);
    expect(isSmall(flags)).toBe(true);
  });
});

describe("compiling for size", () => {
  /** An empty module. */
  const CODE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

  test.each([
    ["a module", CODE, false],
    ["what is none", CODE.subarray(0, 5), true],
  ])("%s: the flags are as before", (_, code, fails) => {
    const set: string[] = [];
    const compile = compilerForSize((flag) => set.push(flag));
    if (fails) expect(() => compile(code)).toThrow(/WebAssembly.Module/);
    else expect(compile(code)).toBeInstanceOf(WebAssembly.Module);
    expect(set).toEqual([
      ...["--no-wasm-lazy-compilation", "--wasm-tier-up-filter=1000000"],
      ...["--wasm-lazy-compilation", "--wasm-tier-up-filter=-1"],
    ]);
  });
});
