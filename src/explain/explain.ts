import type { Settings } from "../config/settings.ts";
import {
  DAYS,
  type EstimatedDatabase,
  type MonthlyLoad,
  monthlyCost,
  monthlyLoad,
  PROFILES,
  type WriteProfile,
} from "./estimate.ts";
import { type LookedAtDatabase, lookAt } from "./looked-at.ts";
import { PRICES, type PriceList } from "./prices.ts";
import { type StorageFacts, storageFacts } from "./storage-facts.ts";

/** What a configuration will do. Nothing is asked of the storage, and no database is opened. */
export interface Explanation {
  readonly settings: Settings;
  readonly storage: StorageFacts;
  /** Those that are named, then those that patterns match now. */
  readonly databases: readonly LookedAtDatabase[];
  readonly estimate: Estimate;
}

export interface Estimate {
  readonly days: number;
  /** Undefined: a server or folder of one's own, or a provider whose prices are not known here. */
  readonly prices: PriceList | undefined;
  readonly rows: readonly EstimateRow[];
}

export interface EstimateRow extends MonthlyLoad {
  readonly profile: WriteProfile;
  /** Dollars a month; undefined without prices. */
  readonly cost: number | undefined;
}

/** The page size of new databases: for those that are not there yet. */
const USUAL_PAGE_BYTES = 4096;

/**
 * @param matched databases that the patterns of the settings match now
 * Errors: CONFIG_INVALID for an endpoint that is none.
 */
export function explain(settings: Settings, matched: Settings["databases"]): Explanation {
  const storage = storageFacts(settings.storage);
  const databases = [...settings.databases, ...matched].map(lookAt);
  return { settings, storage, databases, estimate: estimateOf(settings, storage, databases) };
}

function estimateOf(
  { storage: { partSizeBytes }, compaction }: Settings,
  { provider }: StorageFacts,
  databases: readonly LookedAtDatabase[],
): Estimate {
  const prices = PRICES[provider];
  const estimated = databases.map(
    ({ settings, sizeBytes = 0, pageSizeBytes = USUAL_PAGE_BYTES }): EstimatedDatabase => ({
      sizeBytes,
      pageSizeBytes,
      sync: settings.sync,
      retention: settings.retention,
    }),
  );
  const rows = PROFILES.map((profile) => {
    const load = monthlyLoad(estimated, profile, { partSizeBytes, compaction });
    return { profile, ...load, cost: prices && monthlyCost(load, prices) };
  });
  return { days: DAYS, prices, rows };
}
