import { pino } from "pino";
import type { Clock } from "../clock.ts";
import type { LogSettings } from "../config/settings.ts";
import { printable } from "../printable.ts";
import { textLine } from "./text-line.ts";

type Facts = Readonly<Record<string, unknown>>;
type Write = (facts: Facts, message: string) => void;

/** The arguments are in pino's order. Facts are plain values; bigints are written as integers. */
export interface Log {
  readonly error: Write;
  readonly warn: Write;
  readonly info: Write;
  readonly debug: Write;
  readonly trace: Write;
}

/** What one program writes to, and its level may change while it runs. */
export interface AdjustableLog extends Log {
  /** Others are dropped: whoever tells of thousands of things asks before he puts a sentence together. */
  isEnabled(level: keyof Log): boolean;
  setLevel(level: LogSettings["level"]): void;
}

export interface LogOutput {
  readonly clock: Clock;
  readonly color: boolean;
  /** Takes one whole line with its newline. */
  write(line: string): void;
}

/** JSON lines of `time, level, ...facts, message` for machines, or text for people. */
export function createLog(settings: LogSettings, output: LogOutput): AdjustableLog {
  const write =
    settings.format === "json"
      ? (line: string) => output.write(printable(line))
      : (line: string) => output.write(textLine(line, { color: output.color }));
  const logger = pino(
    {
      level: settings.level,
      base: null,
      messageKey: "message",
      timestamp: () => `,"time":"${new Date(output.clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  const setLevel = (level: LogSettings["level"]) => {
    logger.level = level;
  };
  const isEnabled = (level: keyof Log) => logger.isLevelEnabled(level);
  return Object.assign(logger, { isEnabled, setLevel });
}
