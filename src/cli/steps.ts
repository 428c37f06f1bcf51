import { humanDuration } from "../observability/human.ts";
import type { CliContext } from "./context.ts";
import { startProgress } from "./progress.ts";

const SHOW_EVERY_MS = 1000;

export interface Steps {
  /** The next step begins, and the one before is done. */
  begin(step: string): void;
  /** Takes the bar away. */
  stop(): void;
}

/** Progress of work in few long steps, on a terminal; elsewhere nothing is shown. */
export function startSteps(context: CliContext, what: string, total: number): Steps {
  if (!context.stderr.isTTY) return { begin() {}, stop() {} };
  let begun = 0;
  let current = "";
  const progress = startProgress(
    context,
    what,
    (_, __, elapsedMs) => `${current}, ${humanDuration(elapsedMs)}`,
  );
  const show = () => {
    progress.update(Math.max(0, begun - 1), total);
    cancel = context.clock.schedule(SHOW_EVERY_MS, show);
  };
  let cancel = context.clock.schedule(SHOW_EVERY_MS, show);
  return {
    begin(step) {
      begun += 1;
      current = step;
    },
    stop() {
      cancel();
      progress.stop();
    },
  };
}
