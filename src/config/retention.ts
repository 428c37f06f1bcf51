import { WalrustError } from "../errors.ts";
import { DEFAULT_COMPACTION, DEFAULT_RETENTION } from "./defaults.ts";
import type {
  CompactionSettings,
  DatabaseSettings,
  GlobSettings,
  RetentionPolicy,
  RetentionSettings,
} from "./settings.ts";

export interface RetentionSources {
  /** Those of the configuration, and the files that its patterns match now. */
  readonly databases: readonly DatabaseSettings[];
  readonly globs: readonly GlobSettings[];
  /** What [retention] says, over the defaults. */
  readonly general: RetentionSettings;
}

const TIERS = Object.keys(DEFAULT_RETENTION) as readonly (keyof RetentionSettings)[];

/**
 * The retention of a database in storage, by its name: that of its own entry, else [retention]. The machine may
 * not be the one with the databases: where patterns may have given the name, and none of their files is here,
 * as much is kept as the most generous of them says.
 */
export function retentionOf(
  name: string,
  { databases, globs, general }: RetentionSources,
): RetentionSettings {
  const own = databases.find((database) => database.name === name);
  if (own) return own.retention;
  const candidates = globs.filter((glob) => mayName(glob, name)).map(({ retention }) => retention);
  if (candidates.length === 0) return general;
  const most = TIERS.map((tier) => [tier, Math.max(...candidates.map((retention) => retention[tier]))]);
  return Object.fromEntries(most) as unknown as RetentionSettings;
}

/** A pattern gives a file the name `prefix/stem`, or `stem`. */
function mayName({ prefix }: GlobSettings, name: string): boolean {
  const folder = name.split("/").slice(0, -1).join("/");
  return folder === (prefix ?? "");
}

/** What a command line or a program says over what is configured; undefined: nothing. */
export type RetentionOverrides = {
  readonly [K in keyof RetentionSettings | keyof CompactionSettings]?: number | undefined;
};

const DEFAULT_POLICY: RetentionPolicy = { retention: DEFAULT_RETENTION, compaction: DEFAULT_COMPACTION };

/** Errors: USAGE for a policy that would keep nothing, or for what is no number of snapshots or of milliseconds. */
export function retentionPolicy(
  given: RetentionOverrides,
  base: RetentionPolicy = DEFAULT_POLICY,
): RetentionPolicy {
  const { fineWindowMs, stepMs, ...tiers } = given;
  const retention = { ...base.retention, ...defined(tiers) };
  const compaction = { ...base.compaction, ...defined({ fineWindowMs, stepMs }) };
  const isCount = (count: number) => Number.isSafeInteger(count) && count >= 0;
  if (!Object.values(retention).every(isCount))
    throw unusable("hourly, daily, weekly and monthly are whole numbers");
  if (!Object.values(retention).some((count) => count > 0))
    throw unusable("one of hourly, daily, weekly, monthly must be more than 0");
  if (!Object.values(compaction).every((ms) => ms >= 1))
    throw unusable("the fine window and the step last at least 1 ms");
  return { retention, compaction };
}

function defined(values: RetentionOverrides): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

function unusable(why: string): WalrustError {
  return new WalrustError("USAGE", `this retention cannot be meant: ${why}`);
}
