import { DEFAULT_REGION, DEFAULT_RETRY } from "../src/config/defaults.ts";
import type { StorageSettings } from "../src/config/settings.ts";

/** The project's own storage, for what is not a tool's: the harness, and what measures the storage itself. */
export function storageSettings(url: string, concurrency: number, endpoint?: string): StorageSettings {
  return {
    url,
    region: DEFAULT_REGION,
    concurrency,
    partSizeBytes: 8 * 1024 * 1024,
    layout: "walrust",
    retry: DEFAULT_RETRY,
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}
