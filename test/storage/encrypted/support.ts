import { systemClock } from "../../../src/clock.ts";
import {
  EncryptedStorage,
  type EncryptedStorageDependencies,
} from "../../../src/storage/encrypted/encrypted-storage.ts";
import { MasterKey } from "../../../src/storage/encrypted/master-key.ts";
import type { Storage } from "../../../src/storage/storage.ts";

/** 00 01 02 ... 1f */
export const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
export const OTHER_KEY = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);

const quiet = { info() {}, warn() {} };

export function encrypted(
  storage: Storage,
  key: Uint8Array = KEY,
  dependencies: Partial<EncryptedStorageDependencies> = {},
): EncryptedStorage {
  return new EncryptedStorage(storage, new MasterKey(key), {
    clock: systemClock,
    logger: quiet,
    ...dependencies,
  });
}
