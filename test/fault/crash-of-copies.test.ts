import { test } from "vitest";
import { dieAndLiveOn, eachOnce } from "./die-and-live-on.ts";
import { COPY_STEPS } from "./steps.ts";

test.each(eachOnce(COPY_STEPS, ["nothing", "commits"]))(
  "$scene: killed $when `$name`",
  ({ step, when, meanwhile }) => dieAndLiveOn(step, when, meanwhile),
  180_000,
);
