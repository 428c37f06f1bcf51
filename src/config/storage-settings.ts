import path from "node:path";
import { isWalrustError, WalrustError } from "../errors.ts";
import { parseStorageUrl } from "../storage/url.ts";
import { type ConfigFile, type ConfigLayer, configInvalid, type Location } from "./config-file.ts";
import { DEFAULT_CONCURRENCY, DEFAULT_PART_SIZE_BYTES, DEFAULT_REGION, DEFAULT_RETRY } from "./defaults.ts";
import type { EnvironmentSettings } from "./environment.ts";
import type { LoadedConfig } from "./load.ts";
import type { EncryptionSettings, RetrySettings, StorageSettings } from "./settings.ts";

export interface StorageSources {
  readonly loaded: LoadedConfig;
  readonly file: ConfigFile;
  readonly flagSource: ConfigLayer;
  readonly flags: ConfigFile;
  readonly environment: EnvironmentSettings;
}

/** Litestream reads no encrypted objects, and its names would tell what ours hide. */
export const NOT_ENCRYPTED_LAYOUT = 'layout = "litestream" and [encryption] cannot be used together';

/** Joins what the sources say about the storage. Errors: CONFIG_INVALID. */
export function storageSettings(sources: StorageSources): StorageSettings {
  const { file, flags, environment } = sources;
  const { endpoint, region } = environment;
  const joined: Omit<StorageSettings, "url" | "retry"> & { readonly url?: string } = {
    region: DEFAULT_REGION,
    concurrency: DEFAULT_CONCURRENCY,
    partSizeBytes: DEFAULT_PART_SIZE_BYTES,
    layout: "walrust",
    ...file.s3,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...flags.s3,
  };
  if (joined.sseKmsKeyId !== undefined && joined.sse !== "aws:kms") {
    throw configInvalid([
      { location: locate(sources, "s3", "sse_kms_key_id"), message: 'needs sse = "aws:kms"' },
    ]);
  }
  const encryption = encryptionSettings(sources);
  if (encryption !== undefined && joined.layout === "litestream") {
    throw configInvalid([{ location: locate(sources, "s3", "layout"), message: NOT_ENCRYPTED_LAYOUT }]);
  }
  return {
    ...joined,
    url: checkedUrl(sources, joined.url),
    retry: retrySettings(sources),
    ...(encryption && { encryption }),
  };
}

function checkedUrl(sources: StorageSources, url: string | undefined): string {
  if (url === undefined) {
    throw new WalrustError("CONFIG_INVALID", "no storage is given", {
      hint: 'Say where copies go: -b BUCKET, -b s3://bucket/prefix, -b file:///folder, or bucket = "..." under [s3].',
      details: { key: "s3.bucket" },
    });
  }
  try {
    parseStorageUrl(url);
  } catch (error) {
    if (!isWalrustError(error)) throw error;
    throw configInvalid([{ location: locate(sources, "s3", "bucket"), message: error.message }], error.hint);
  }
  return url;
}

/** Who asks for encryption in half a sentence must not get none. */
function encryptionSettings({ loaded, file }: StorageSources): EncryptionSettings | undefined {
  if (file.encryption === undefined) return undefined;
  const { keyFile, keyEnv } = file.encryption;
  if ((keyFile === undefined) === (keyEnv === undefined)) {
    const message = "needs key_file, or key_env, and not both";
    throw configInvalid([{ location: loaded.locate(["encryption"]), message }]);
  }
  if (keyEnv !== undefined) return { kind: "env", variable: keyEnv };
  return { kind: "file", path: path.resolve(loaded.folder, keyFile as string) };
}

function retrySettings(sources: StorageSources): RetrySettings {
  const retry = { ...DEFAULT_RETRY, ...sources.file.retry, ...sources.flags.retry };
  if (retry.maxDelayMs >= retry.baseDelayMs) return retry;
  const givenKey = sources.flags.retry.maxDelayMs ?? sources.file.retry.maxDelayMs;
  throw configInvalid([
    {
      location: locate(sources, "retry", givenKey === undefined ? "base_delay_ms" : "max_delay_ms"),
      message: `the longest delay (${retry.maxDelayMs} ms) is less than the first (${retry.baseDelayMs} ms)`,
    },
  ]);
}

/** The place of a key in the source that won. */
function locate({ loaded, flagSource }: StorageSources, section: string, key: string): Location {
  const inFlags = (flagSource.value[section] as object | undefined) ?? {};
  return (key in inFlags ? flagSource : loaded).locate([section, key]);
}
