import { expect, test, vi } from "vitest";
import { startSteps } from "../../src/cli/steps.ts";
import { type FakeContext, fakeContext } from "../helpers/cli/fake-context.ts";

/** Two steps of 90 seconds each, looked at after each minute. */
function work(context: FakeContext): void {
  const wakes: (() => void)[] = [];
  const schedule = (_: number, wake: () => void) => {
    wakes.push(wake);
    return () => void wakes.pop();
  };
  const steps = startSteps({ ...context, clock: { ...context.clock, schedule } }, "measuring restore", 2);
  steps.begin("run 1 of 2, walrust");
  for (const seconds of [60, 120]) {
    context.nowMs += 60_000;
    if (seconds === 120) steps.begin("run 2 of 2, walrust");
    wakes.pop()?.();
  }
  steps.stop();
  expect(wakes).toEqual([]);
}

test("on a terminal a bar with the step and its time, which goes on by itself and is gone at the end", () => {
  const context = fakeContext({ isTTY: true });
  work(context);
  expect(context.complained()).toMatch(/measuring restore .* 0% run 1 of 2, walrust, 1m/);
  expect(context.complained()).toMatch(/measuring restore .* 50% run 2 of 2, walrust, 2m/);
  expect(context.complained()).not.toContain("\n");
});

test("elsewhere nothing, and no timer", () => {
  const context = fakeContext();
  const schedule = vi.fn();
  const steps = startSteps({ ...context, clock: { ...context.clock, schedule } }, "measuring restore", 2);
  steps.begin("run 1 of 2, walrust");
  steps.stop();
  expect(context.complained()).toBe("");
  expect(schedule).not.toHaveBeenCalled();
});
