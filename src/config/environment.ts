import { WalrustError } from "../errors.ts";
import type { LogSettings } from "./settings.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentSettings {
  readonly endpoint?: string;
  readonly region?: string;
  readonly logLevel?: LogSettings["level"];
}

/** The variables that are ours to read. Credentials are not: the storage asks the usual AWS chain itself. */
export function readEnvironment(env: Environment): EnvironmentSettings {
  const endpoint = env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"];
  const region = env["AWS_REGION"] || env["AWS_DEFAULT_REGION"];
  const logLevel = readLogLevel(env);
  return {
    ...(endpoint ? { endpoint } : {}),
    ...(region ? { region } : {}),
    ...(logLevel ? { logLevel } : {}),
  };
}

/** NO_COLOR (no-color.org): any value but the empty one. */
export function wantsColor(env: Environment): boolean {
  return !env["NO_COLOR"] && env["TERM"] !== "dumb";
}

/**
 * `info`, `walrust=debug`, `warn,walrust=debug,other=trace`: our own directive, else the one without a name. RUST_LOG may be
 * meant for other programs, so what does not concern us there is no mistake; in WALRUST_LOG it is (CONFIG_INVALID).
 */
function readLogLevel(env: Environment): LogSettings["level"] | undefined {
  const own = env["WALRUST_LOG"];
  if (!own) return levelOf(env["RUST_LOG"] ?? "");
  const level = levelOf(own);
  if (level !== undefined) return level;
  throw new WalrustError("CONFIG_INVALID", `WALRUST_LOG: ${JSON.stringify(own)} names no level`, {
    hint: "Write one of error, warn, info, debug, trace, or walrust=LEVEL.",
    details: { key: "WALRUST_LOG" },
  });
}

function levelOf(directives: string): LogSettings["level"] | undefined {
  const pairs = directives.split(",").map((part) => part.trim().split("=", 2));
  const named = pairs.findLast(
    ([name, level]) => level !== undefined && /^walrust(::|$)/.test(name ?? ""),
  )?.[1];
  const bare = pairs.findLast(([, level]) => level === undefined)?.[0];
  return LEVELS.get((named ?? bare ?? "").toLowerCase());
}

const LEVELS: ReadonlyMap<string, LogSettings["level"]> = new Map([
  ["off", "error"], // errors are never silenced
  ["error", "error"],
  ["warn", "warn"],
  ["info", "info"],
  ["debug", "debug"],
  ["trace", "trace"],
]);
