import { isWalrustError, WalrustError } from "../../errors.ts";
import { readRange } from "../database-objects.ts";
import { parseKey } from "../keys.ts";
import type { Storage } from "../storage.ts";
import { fits, formatMark, MARK_KEY, readMark } from "./mark.ts";
import type { MasterKey } from "./master-key.ts";
import { looksSealed, type NameCipher } from "./names.ts";
import { HEADER_BYTES, hasMagic, SALT_BYTES } from "./object-format.ts";

export interface KeyProofOptions {
  /** The storage as it is, without a key. */
  readonly storage: Storage;
  readonly master: MasterKey;
  readonly names: NameCipher;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly now: () => number;
  /** Hears of a database that is there unencrypted. */
  readonly onUnencrypted: (database: string) => void;
}

interface Unmarked {
  /** A database of which the storage has files that are not encrypted. */
  readonly unencrypted: string | undefined;
}

/**
 * Proves once a process that the key is that of the storage: before anything is read, and before anything is written beside what another key
 * has sealed. A failure is not remembered: the next call asks again.
 */
export class KeyProof {
  readonly #options: KeyProofOptions;
  #found: Promise<Unmarked | "marked"> | undefined;
  #marked: Promise<void> | undefined;

  constructor(options: KeyProofOptions) {
    this.#options = options;
  }

  /** Errors: CONFIG_INVALID when the key is another one; INTEGRITY_FORMAT for a damaged mark; those of storage. */
  async beforeReading(): Promise<void> {
    await this.#look();
  }

  /** The same, and marks a storage that is not marked yet. */
  async beforeWriting(): Promise<void> {
    const found = await this.#look();
    if (found === "marked") return;
    this.#marked ??= this.#mark(found);
    await this.#marked.catch((error: unknown) => {
      this.#marked = undefined;
      throw error;
    });
  }

  async #look(): Promise<Unmarked | "marked"> {
    // Shared by all who ask meanwhile, and so by nobody's signal.
    this.#found ??= this.#ask();
    return this.#found.catch((error: unknown) => {
      this.#found = undefined;
      throw error;
    });
  }

  async #ask(): Promise<Unmarked | "marked"> {
    return (await this.#isMarked()) ? "marked" : this.#proveByObjects();
  }

  async #isMarked(): Promise<boolean> {
    const { storage, master } = this.#options;
    const mark = await readMark(storage);
    if (mark !== undefined && !fits(master, mark)) throw wrongKey(storage.url);
    return mark !== undefined;
  }

  /** A new storage has no mark, and one whose mark was deleted. There, what lies in it says whose it is. */
  async #proveByObjects(): Promise<Unmarked> {
    const { storage, names } = this.#options;
    const seen = new Set<string>();
    let unencrypted: string | undefined;
    for await (const { key } of storage.list("")) {
      const database = parseKey(key)?.database;
      if (database === undefined || seen.has(database)) continue;
      if (names.open(key) !== undefined) return { unencrypted };
      seen.add(database);
      if (database.split("/").every(looksSealed) && (await isSealed(storage, key)))
        throw wrongKey(storage.url);
      unencrypted ??= database;
    }
    return { unencrypted };
  }

  async #mark({ unencrypted }: Unmarked): Promise<void> {
    const { storage, master, randomBytes, now, onUnencrypted } = this.#options;
    const mark = formatMark(master, randomBytes(SALT_BYTES), now());
    try {
      await storage.put(MARK_KEY, mark, { condition: { kind: "absent" } });
    } catch (error) {
      // Another process was faster: with our key, or we must not go on.
      if (!isWalrustError(error, "STORAGE_CONFLICT") || !(await this.#isMarked())) throw error;
    }
    if (unencrypted !== undefined) onUnencrypted(unencrypted);
  }
}

async function isSealed(storage: Storage, key: string): Promise<boolean> {
  return hasMagic(await readRange(storage, key, { offset: 0, length: HEADER_BYTES }));
}

function wrongKey(url: string): WalrustError {
  return new WalrustError(
    "CONFIG_INVALID",
    `the encryption key does not fit ${url}: its objects were encrypted with another one`,
    {
      hint: "Give the key of this storage under [encryption]; each storage keeps the one that it began with.",
    },
  );
}
