import { constants } from "node:fs";
import { access, unlink } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { WalrustError } from "../errors.ts";
import { checkAborted } from "./abort.ts";
import type { StorageDependencies } from "./dependencies.ts";
import { fileError, meansNothingThere } from "./file-error.ts";
import { StorageFolder, syncFolder } from "./file-folder.ts";
import { listFolder } from "./file-list.ts";
import { ltxBodySha256, type OpenFile, pieces } from "./file-read.ts";
import { FileReader } from "./file-reader.ts";
import { etagOf, TempFile } from "./file-temp.ts";
import { FileUpload } from "./file-upload.ts";
import { assertListPrefix } from "./key-rules.ts";
import type * as contract from "./storage.ts";
import { formatStorageUrl } from "./url.ts";

const DELETES_AT_ONCE = 16;

/**
 * A storage in a folder. An object is a file of its key's name, written under a temporary name, fsynced, then linked
 * (if-absent) or renamed into place, and its folder fsynced. There is no room for metadata: `head` computes the SHA-256 of
 * an LTX file's body from its bytes.
 */
export class FileStorage implements contract.Storage {
  readonly url: string;
  readonly conditionalPut = true;
  readonly distanceMs = 0;
  readonly #folder: StorageFolder;
  readonly #random: () => number;
  readonly #reader: FileReader;

  constructor(root: string, dependencies: Pick<StorageDependencies, "clock" | "random" | "mayBlock">) {
    this.url = formatStorageUrl({ kind: "file", folder: root });
    this.#folder = new StorageFolder(root, dependencies.clock);
    this.#random = dependencies.random;
    this.#reader = new FileReader(dependencies.clock, dependencies.mayBlock ?? false);
  }

  /** Readable is enough: a restore may come from a folder that is mounted read-only. */
  async check(options: contract.CallOptions = {}): Promise<void> {
    checkAborted(options.signal);
    await this.#folder.assertRoot();
    try {
      await access(this.#folder.root, constants.R_OK | constants.X_OK);
    } catch (error) {
      throw fileError(error, `read the storage folder ${this.#folder.root}`);
    }
  }

  async put(key: string, body: Uint8Array, options: contract.PutOptions = {}): Promise<contract.PutResult> {
    checkAborted(options.signal);
    try {
      const temp = await TempFile.create(this.#folder, key, this.#random);
      try {
        await temp.write(body, 0);
        checkAborted(options.signal);
        return await temp.publish(options.condition, options.timestampMs);
      } finally {
        await temp.discard();
      }
    } catch (error) {
      throw fileError(error, `write ${key}`);
    }
  }

  upload(key: string, options: contract.UploadOptions): contract.Upload {
    return new FileUpload(this.#folder, key, options, this.#random);
  }

  async get(
    key: string,
    options: contract.CallOptions & { readonly maxBytes: number },
  ): Promise<contract.GetResult> {
    checkAborted(options.signal);
    const file = await this.#open(key);
    const { facts } = file;
    try {
      if (facts.size > options.maxBytes) {
        throw new WalrustError("STORAGE_REJECTED", `${key} is larger than ${options.maxBytes} bytes`);
      }
      const body = Buffer.allocUnsafe(facts.size);
      let done = 0;
      for await (const piece of pieces(file, key, 0, facts.size, options.signal)) {
        body.set(piece, done);
        done += piece.length;
      }
      return { body, etag: etagOf(facts) };
    } finally {
      await file.close();
    }
  }

  async *read(key: string, options: contract.ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const { offset = 0, length = Number.POSITIVE_INFINITY, signal } = options;
    checkAborted(signal);
    const file = await this.#open(key, length);
    try {
      yield* pieces(file, key, offset, Math.min(file.facts.size, offset + length), signal);
    } finally {
      await file.close();
    }
  }

  /** Reads a whole LTX file for its SHA-256: meant for the rare doubt about one object; sizes come with `list`. */
  async head(key: string, options: contract.CallOptions = {}): Promise<contract.ObjectHead> {
    checkAborted(options.signal);
    const file = await this.#open(key);
    const { facts } = file;
    try {
      return {
        key,
        sizeBytes: facts.size,
        lastModifiedMs: Math.round(facts.mtimeMs),
        etag: etagOf(facts),
        sha256:
          extname(key) === ".ltx" ? await ltxBodySha256(file, key, facts.size, options.signal) : undefined,
      };
    } finally {
      await file.close();
    }
  }

  async *list(prefix: string, options: contract.CallOptions = {}): AsyncGenerator<contract.StoredObject> {
    assertListPrefix(prefix);
    yield* listFolder(this.#folder, this.#reader, prefix, options.signal);
  }

  async delete(keys: readonly string[], options: contract.CallOptions = {}): Promise<void> {
    const paths = keys.map((key) => this.#folder.pathOf(key));
    await this.#folder.assertRoot();
    const changed = new Set<string>();
    for (let at = 0; at < paths.length; at += DELETES_AT_ONCE) {
      checkAborted(options.signal);
      await Promise.all(
        paths.slice(at, at + DELETES_AT_ONCE).map(async (path) => {
          if (await remove(path)) changed.add(dirname(path));
        }),
      );
    }
    for (const path of changed) {
      await syncFolder(path).catch((error: unknown) => {
        throw fileError(error, `delete in ${path}`);
      });
    }
  }

  async close(): Promise<void> {
    // Every call opens and closes its own files.
  }

  /** @param bytes how much of it will be read at most */
  async #open(key: string, bytes?: number): Promise<OpenFile> {
    const path = this.#folder.pathOf(key);
    let file: OpenFile;
    try {
      file = await this.#reader.open(path, bytes);
    } catch (error) {
      throw await this.#folder.lookupError(error, key);
    }
    try {
      const { facts } = file;
      if (facts.isFile()) return file;
      if (facts.isDirectory()) {
        throw new WalrustError(
          "STORAGE_NOT_FOUND",
          `${key} is a folder in ${this.#folder.root}, not an object`,
        );
      }
      throw new WalrustError("STORAGE_REJECTED", `${key} is not a plain file in ${this.#folder.root}`);
    } catch (error) {
      await file.close();
      throw fileError(error, `read ${key}`);
    }
  }
}

async function remove(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (meansNothingThere(error)) return false;
    throw fileError(error, `delete ${path}`);
  }
}
