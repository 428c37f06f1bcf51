import { test } from "vitest";
import { MEANWHILE } from "./crash-scene.ts";
import { dieAndLiveOn, eachOnce } from "./die-and-live-on.ts";
import { DAEMON_STEPS } from "./steps.ts";

test.each(eachOnce(DAEMON_STEPS, MEANWHILE))(
  "$scene: killed $when `$name`, $meanwhile while it is away",
  ({ step, when, meanwhile }) => dieAndLiveOn(step, when, meanwhile),
  180_000,
);
