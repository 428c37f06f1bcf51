import { mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Settings } from "../../src/config/settings.ts";
import { ConfigFollower, type NewSettings } from "../../src/daemon/config-follower.ts";
import { WalrustError } from "../../src/errors.ts";
import { silentLog } from "../../src/observability/silent-log.ts";
import { ManualClock, settled } from "../helpers/manual-clock.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

/** A file, and somebody who follows it. Its text stands for the settings that it gives. */
async function followed(text?: string) {
  const path = join(tempFolder(), "walrust.toml");
  const clock = new ManualClock();
  const said: string[] = [];
  const taken: (readonly [text: string, isAsked: boolean])[] = [];
  let ask = () => {};
  let read = () => Promise.resolve();
  let current = text;
  const write = (next: string) => {
    current = next;
    writeFileSync(path, next);
  };
  if (text !== undefined) write(text);
  const follower = new ConfigFollower({
    source: {
      path,
      text,
      read: async () => {
        await read();
        if (current?.includes("bad"))
          throw new WalrustError("CONFIG_INVALID", `walrust.toml:1: ${current}`, { hint: "Mend it." });
        return { text: current } as unknown as Settings;
      },
      take: (settings) => settings,
      onAsked: (listener) => {
        ask = listener;
        return () => {
          ask = () => {};
        };
      },
    },
    clock,
    log: {
      ...silentLog,
      error: (_, message) => said.push(message),
      warn: (_, message) => said.push(message),
    },
    onSettings: ({ settings, isAsked }: NewSettings) =>
      taken.push([(settings as unknown as { text: string }).text, isAsked]),
  });
  const stop = new AbortController();
  const ended = follower.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await ended;
    expect(clock.sleepers, "no timer stays").toBe(0);
  });
  await settled();
  return {
    ...{ path, clock, said, taken, write, follower },
    ask: () => ask(),
    whileReading: (work: () => void) => {
      read = async () => {
        read = () => Promise.resolve();
        work();
      };
    },
  };
}

describe("a changed file", () => {
  test("is taken up by the poll alone, and once", async () => {
    const { clock, taken, write, said } = await followed("one");
    await clock.advance(60_000);
    expect(taken).toEqual([]);
    write("two");
    await clock.advance(3500);
    expect(taken).toEqual([["two", false]]);
    await clock.advance(60_000);
    expect(taken).toHaveLength(1);
    expect(said).toEqual([]);
  });

  test("is taken up soon after a hint", async () => {
    const { clock, taken, write, follower } = await followed("one");
    write("two");
    follower.hint();
    await clock.advance(499);
    expect(taken, "an editor may still be writing").toEqual([]);
    await clock.advance(1);
    expect(taken).toEqual([["two", false]]);
  });

  test("of the same size and time: the content counts", async () => {
    const { clock, taken, write, path } = await followed("one");
    const { atime, mtime } = statSync(path);
    write("two");
    utimesSync(path, atime, mtime);
    await clock.advance(10_000);
    expect(taken).toEqual([["two", false]]);
    rmSync(path);
    write("two");
    await clock.advance(10_000);
    expect(taken, "another file with the same text is no change").toHaveLength(1);
  });

  test("is waited for while it is being written", async () => {
    const { clock, taken, write, follower } = await followed("one");
    for (const piece of ["t", "tw", "two", "two "]) {
      write(piece);
      follower.hint();
      await clock.advance(300);
    }
    expect(taken).toEqual([]);
    await clock.advance(1000);
    expect(taken).toEqual([["two ", false]]);
  });

  test("replaced by rename, gone in between: only the new one counts", async () => {
    const { clock, taken, path, said, write, follower } = await followed("one");
    renameSync(path, `${path}~`);
    follower.hint();
    await clock.advance(200);
    write("two");
    follower.hint();
    await clock.advance(1000);
    expect(taken).toEqual([["two", false]]);
    expect(said).toEqual([]);
  });

  test("changed again while it is read: what was read is not used", async () => {
    const { clock, taken, write, whileReading } = await followed("one");
    write("two");
    whileReading(() => write("three"));
    await clock.advance(10_000);
    expect(taken).toEqual([["three", false]]);
  });

  test("that appears later is taken up", async () => {
    const { clock, taken, write } = await followed();
    await clock.advance(10_000);
    write("new");
    await clock.advance(4000);
    expect(taken).toEqual([["new", false]]);
  });
});

describe("a file that cannot be used", () => {
  test("is reported once for each content, and the next good one is taken", async () => {
    const { clock, taken, write, said } = await followed("one");
    write("bad");
    await clock.advance(60_000);
    expect(said).toEqual(["walrust.toml:1: bad (Mend it.): everything stays as it is"]);
    write("bad again");
    await clock.advance(60_000);
    expect(said).toHaveLength(2);
    expect(taken).toEqual([]);
    write("good");
    await clock.advance(4000);
    expect(taken).toEqual([["good", false]]);
  });

  test.each([
    ["gone", (path: string) => rmSync(path)],
    [
      "a folder now",
      (path: string) => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
  ])("%s: said once, and everything stays", async (_, damage) => {
    const { clock, taken, path, said } = await followed("one");
    damage(path);
    await clock.advance(60_000);
    expect(said).toEqual([`the configuration cannot be read any more (${path}): everything stays as it is`]);
    expect(taken).toEqual([]);
  });
});

describe("asked", () => {
  test("at once, also with the same content, and a mistake is told again", async () => {
    const { clock, taken, write, said, ask } = await followed("one");
    ask();
    await clock.advance(0);
    expect(taken).toEqual([["one", true]]);
    write("bad");
    for (let time = 1; time <= 2; time += 1) {
      ask();
      await clock.advance(0);
      expect(said).toHaveLength(time);
    }
  });

  test("without a file: says so", async () => {
    const { clock, taken, said, ask, path } = await followed();
    ask();
    await clock.advance(0);
    expect(said).toEqual([`there is no configuration file (${path}): everything stays as it is`]);
    expect(taken).toEqual([]);
  });

  test("changed while it is read: what was asked is answered after the next look", async () => {
    const { clock, taken, write, whileReading, ask } = await followed("one");
    whileReading(() => write("two"));
    ask();
    await clock.advance(0);
    expect(taken).toEqual([["two", true]]);
  });
});
