import type { StorageSettings } from "../config/settings.ts";
import type { StorageDependencies, StorageLogger } from "./dependencies.ts";
import { FileStorage } from "./file.ts";
import type { Storage } from "./storage.ts";
import { parseStorageUrl } from "./url.ts";

export type OpenStorageOptions = Pick<StorageDependencies, "clock"> & Partial<StorageDependencies>;

const silent: StorageLogger = { info() {}, warn() {} };

/** Opens a storage without asking it anything: `check` proves that it is there, and that a key fits. Errors: CONFIG_INVALID. */
export async function openStorage(settings: StorageSettings, options: OpenStorageOptions): Promise<Storage> {
  const { clock, random = Math.random, logger = silent, env = process.env, ...others } = options;
  const dependencies = { clock, random, logger, env, ...others };
  if (settings.encryption === undefined) return openPlainStorage(settings, dependencies);
  const [{ readMasterKey }, { EncryptedStorage }] = await Promise.all([
    import("./encrypted/key-source.ts"),
    import("./encrypted/encrypted-storage.ts"),
  ]);
  const master = await readMasterKey(settings.encryption, dependencies);
  return new EncryptedStorage(await openPlainStorage(settings, dependencies), master, dependencies);
}

async function openPlainStorage(
  settings: StorageSettings,
  dependencies: StorageDependencies,
): Promise<Storage> {
  const address = parseStorageUrl(settings.url);
  if (address.kind === "file") return openFolder(address.folder, dependencies);
  // A backup into a folder never loads what S3 needs.
  const { openS3Storage } = await import("./s3.ts");
  return openS3Storage(address, settings, dependencies);
}

async function openFolder(folder: string, dependencies: StorageDependencies): Promise<Storage> {
  const { clock, onRequest } = dependencies;
  const storage = new FileStorage(folder, dependencies);
  if (onRequest === undefined) return storage;
  const { ObservedStorage } = await import("./observed-storage.ts");
  return new ObservedStorage(storage, clock, onRequest);
}
