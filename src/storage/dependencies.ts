import type { LookupFunction } from "node:net";
import type { Clock } from "../clock.ts";

/** What a storage is given from outside. */
export interface StorageDependencies {
  readonly clock: Clock;
  /** Uniform in [0, 1), for jitter and names of temporary files. */
  readonly random: () => number;
  readonly logger: StorageLogger;
  /** Where credentials and AWS_CA_BUNDLE are read from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How host names become addresses; the system's way unless given. */
  readonly lookup?: LookupFunction | undefined;
}

/** The two lines that an outage leaves in the log. The order of arguments is pino's. */
export interface StorageLogger {
  info(facts: Readonly<Record<string, unknown>>, message: string): void;
  warn(facts: Readonly<Record<string, unknown>>, message: string): void;
}
