import { WalrustError } from "../errors.ts";
import { parseStorageUrl } from "../storage/url.ts";
import { DEFAULT_CONCURRENCY, DEFAULT_PART_SIZE_BYTES, DEFAULT_REGION, DEFAULT_RETRY } from "./defaults.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import type { RetrySettings, StorageSettings } from "./settings.ts";
import { NOT_ENCRYPTED_LAYOUT } from "./storage-settings.ts";

/** What a program may say about its storage; the rest is environment and defaults, as on the command line. */
export interface StorageOptions extends Partial<Omit<StorageSettings, "url" | "retry">> {
  readonly retry?: Partial<RetrySettings>;
}

/** Options > environment > defaults; no file is read. Errors: CONFIG_INVALID. */
export function librarySettings(url: string, options: StorageOptions, env: Environment): StorageSettings {
  parseStorageUrl(url);
  if (options.encryption !== undefined && options.layout === "litestream")
    throw new WalrustError("CONFIG_INVALID", NOT_ENCRYPTED_LAYOUT);
  const { endpoint, region } = readEnvironment(env);
  return {
    region: region ?? DEFAULT_REGION,
    concurrency: DEFAULT_CONCURRENCY,
    partSizeBytes: DEFAULT_PART_SIZE_BYTES,
    layout: "walrust",
    ...(endpoint === undefined ? {} : { endpoint }),
    ...options,
    url,
    retry: { ...DEFAULT_RETRY, ...options.retry },
  };
}
