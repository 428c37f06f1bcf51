import { expect } from "vitest";
import type { Meanwhile } from "./crash-scene.ts";
import type { Moment } from "./dying.ts";
import { SCENES } from "./scenes.ts";
import type { Step } from "./steps.ts";

/** Dies at the step, looks, lives on, and looks again. A step that is never reached fails. */
export async function dieAndLiveOn(step: Step, when: Moment, meanwhile: Meanwhile): Promise<void> {
  const scene = await SCENES[step.scene](step.place ?? "folder", meanwhile);
  const { name, scene: _, when: __, place: ___, ...death } = step;
  const operation = await scene.die({ ...death, when });
  expect(operation, `${name}: the step that it died of`).toBeDefined();
  await scene.afterDeath();
  await scene.liveOn();
}

interface Case {
  readonly step: Step;
  readonly name: string;
  readonly scene: string;
  readonly when: Moment;
  readonly meanwhile: Meanwhile;
}

/** Each step at its first moment; what happens meanwhile goes around. */
export function eachOnce(steps: readonly Step[], meanwhiles: readonly Meanwhile[]): Case[] {
  return casesOf(
    steps.map((step) => ({ step, when: around(step.when, 0) })),
    meanwhiles,
  );
}

/** Each step at each of its moments. */
export function eachWay(steps: readonly Step[], meanwhiles: readonly Meanwhile[]): Case[] {
  return casesOf(
    steps.flatMap((step) => step.when.map((when) => ({ step, when }))),
    meanwhiles,
  );
}

function casesOf(moments: readonly Pick<Case, "step" | "when">[], meanwhiles: readonly Meanwhile[]): Case[] {
  return moments.map(({ step, when }, index) => {
    const { name, scene } = step;
    return { step, when, name, scene, meanwhile: around(meanwhiles, index) };
  });
}

export function around<T>(values: readonly T[], index: number): T {
  const value = values[index % values.length];
  if (value === undefined) throw new Error("a list without anything in it");
  return value;
}
