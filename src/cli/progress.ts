import { Presets, SingleBar } from "cli-progress";
import { humanDuration, humanSize } from "../observability/human.ts";
import { printable } from "../printable.ts";
import type { CliContext } from "./context.ts";

/** Shorter work is over before anybody reads. */
const QUIET_MS = 1000;
const LINE_EVERY_MS = 5000;

export interface Progress {
  /** Bytes, unless it was started for something else. */
  update(done: number, total: number): void;
  /** Takes the bar away. Safe to call twice. */
  stop(): void;
}

/** What stands behind the share that is done. */
export type Facts = (done: number, total: number, elapsedMs: number) => string;

/** On a terminal a bar on stderr, else a line every few seconds; for bytes each with rate and time left. */
export function startProgress(context: CliContext, what: string, facts: Facts = factsOf): Progress {
  const label = printable(what);
  const { clock, stderr } = context;
  const startedMs = clock.monotonicMs();
  const show = stderr.isTTY ? barView(context, label, facts) : lineView(context, label, facts);
  return {
    update(done, total) {
      const elapsedMs = clock.monotonicMs() - startedMs;
      if (elapsedMs >= QUIET_MS && total > 0) show.update(done, total, elapsedMs);
    },
    stop: () => show.stop(),
  };
}

interface View {
  update(done: number, total: number, elapsedMs: number): void;
  stop(): void;
}

function barView({ stderr }: CliContext, label: string, facts: Facts): View {
  const bar = new SingleBar(
    {
      stream: stderr,
      clearOnComplete: true,
      hideCursor: true,
      format: `${label} {bar} {percentage}% {facts}`,
    },
    Presets.shades_classic,
  );
  let started = false;
  return {
    update(done, total, elapsedMs) {
      const payload = { facts: facts(done, total, elapsedMs) };
      if (started) bar.update(done, payload);
      else bar.start(total, done, payload);
      started = true;
    },
    stop: () => bar.stop(),
  };
}

function lineView({ stderr }: CliContext, label: string, facts: Facts): View {
  let nextMs = 0;
  return {
    update(done, total, elapsedMs) {
      if (elapsedMs < nextMs) return;
      nextMs = elapsedMs + LINE_EVERY_MS;
      stderr.write(`${label}: ${Math.floor((100 * done) / total)}% ${facts(done, total, elapsedMs)}\n`);
    },
    stop() {},
  };
}

/** `90 MB of 200 MB, 85 MB/s, 1.3s left` */
function factsOf(done: number, total: number, elapsedMs: number): string {
  const bytesPerMs = done / elapsedMs;
  const left = bytesPerMs > 0 ? `, ${humanDuration((total - done) / bytesPerMs)} left` : "";
  return `${humanSize(done)} of ${humanSize(total)}, ${humanSize(bytesPerMs * 1000)}/s${left}`;
}
