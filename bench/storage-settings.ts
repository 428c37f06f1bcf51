import type { StorageSettings } from "../src/config/settings.ts";

/** The project's own storage, for what is not a tool's: the harness, and what measures the storage itself. */
export function storageSettings(url: string, concurrency: number, endpoint?: string): StorageSettings {
  return {
    url,
    region: "us-east-1",
    concurrency,
    partSizeBytes: 8 * 1024 * 1024,
    layout: "walrust",
    retry: {
      maxRetries: 5,
      baseDelayMs: 100,
      maxDelayMs: 30_000,
      circuitBreakerEnabled: true,
      circuitBreakerThreshold: 10,
      circuitBreakerCooldownMs: 60_000,
    },
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}
