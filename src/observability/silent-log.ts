import type { Log } from "./log.ts";

const nothing = () => {};

/** For programs that use the library: what they must know comes as results, events and errors. */
export const silentLog: Log = {
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  trace: nothing,
};
