import { describe, expect, test } from "vitest";
import { startProgress } from "../../src/cli/progress.ts";
import { type FakeContext, fakeContext } from "../helpers/cli/fake-context.ts";

const MB = 1_000_000;

/** Work of `seconds` at 10 MB a second, reported ten times a second. */
function work(context: FakeContext, seconds: number): void {
  const progress = startProgress(context, "restoring app");
  for (let step = 1; step <= 10 * seconds; step++) {
    context.nowMs += 100;
    progress.update(step * MB, 10 * seconds * MB);
  }
  progress.stop();
  progress.stop();
}

describe("off a terminal", () => {
  test("a line every few seconds, with rate and time left", () => {
    const context = fakeContext();
    work(context, 12);
    expect(context.complained()).toBe(
      [
        "restoring app: 8% 10 MB of 120 MB, 10 MB/s, 11s left",
        "restoring app: 50% 60 MB of 120 MB, 10 MB/s, 6s left",
        "restoring app: 91% 110 MB of 120 MB, 10 MB/s, 1s left",
        "",
      ].join("\n"),
    );
    expect(context.printed()).toBe("");
  });

  test("nothing for what is over within a second", () => {
    const context = fakeContext();
    const progress = startProgress(context, "restoring app");
    context.nowMs += 999;
    progress.update(5, 10);
    progress.stop();
    expect(context.complained()).toBe("");
  });
});

describe("on a terminal", () => {
  test("a bar, which is gone at the end", () => {
    const context = fakeContext({ isTTY: true });
    work(context, 2);
    expect(context.complained()).toContain("restoring app ");
    expect(context.complained()).toContain("10 MB/s");
    expect(context.complained()).not.toContain("\n");
  });
});
