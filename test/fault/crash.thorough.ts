import { describe, test } from "vitest";
import { MEANWHILE } from "./crash-scene.ts";
import { dieAndLiveOn, eachWay } from "./die-and-live-on.ts";
import { COPY_STEPS, DAEMON_STEPS } from "./steps.ts";

const LIMIT_MS = 180_000;

describe("each step at each of its moments", () => {
  test.each(eachWay(DAEMON_STEPS, MEANWHILE))(
    "$scene: killed $when `$name`, $meanwhile while it is away",
    ({ step, when, meanwhile }) => dieAndLiveOn(step, when, meanwhile),
    LIMIT_MS,
  );
  test.each(eachWay(COPY_STEPS, ["nothing", "commits"]))(
    "$scene: killed $when `$name`, $meanwhile",
    ({ step, when, meanwhile }) => dieAndLiveOn(step, when, meanwhile),
    LIMIT_MS,
  );
});
