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
  /**
   * The thread has nothing else to do while it asks storage: no database is watched, and nobody else's program runs in it. Small files of a
   * folder are then read on it.
   */
  readonly mayBlock?: boolean | undefined;
  /** Compiles WebAssembly that is never to be optimized, where memory is scarcer than time. */
  readonly compileForSize?: ((code: Uint8Array<ArrayBuffer>) => WebAssembly.Module) | undefined;
  /** Hears of every request to the storage, when it is done. Must not throw. */
  readonly onRequest?: ((request: StorageRequest) => void) | undefined;
}

/** One request over the network, each try on its own; where there is none, one call. */
export interface StorageRequest {
  readonly operation: "get" | "head" | "put" | "post" | "delete" | "list";
  readonly outcome:
    | "ok"
    | "not_found"
    | "conflict"
    | "throttled"
    /** Any other 4xx. */
    | "refused"
    /** Any other 5xx; for a folder, any other error. */
    | "failed"
    /** No answer. */
    | "unreachable"
    | "aborted";
  readonly durationMs: number;
}

/** The two lines that an outage leaves in the log. The order of arguments is pino's. */
export interface StorageLogger {
  info(facts: Readonly<Record<string, unknown>>, message: string): void;
  warn(facts: Readonly<Record<string, unknown>>, message: string): void;
}
