import type { StorageSettings } from "../config/settings.ts";
import type { StorageDependencies, StorageLogger } from "./dependencies.ts";
import { FileStorage } from "./file.ts";
import type { Storage } from "./storage.ts";
import { parseStorageUrl } from "./url.ts";

export type OpenStorageOptions = Pick<StorageDependencies, "clock"> & Partial<StorageDependencies>;

const silent: StorageLogger = { info() {}, warn() {} };

/** Opens a storage without asking it anything: `check` proves that it is there. Errors: CONFIG_INVALID. */
export async function openStorage(settings: StorageSettings, options: OpenStorageOptions): Promise<Storage> {
  const { clock, random = Math.random, logger = silent, env = process.env, lookup } = options;
  const address = parseStorageUrl(settings.url);
  if (address.kind === "file") return new FileStorage(address.folder, { clock, random });
  // A backup into a folder never loads what S3 needs.
  const { openS3Storage } = await import("./s3.ts");
  return openS3Storage(address, settings, { clock, random, logger, env, lookup });
}
