import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { checkAborted } from "./abort.ts";
import { errnoOf, fileError, meansNothingThere } from "./file-error.ts";
import type { StorageFolder } from "./file-folder.ts";
import type { FileReader } from "./file-reader.ts";
import { RESERVED_PREFIX } from "./key-rules.ts";
import type { StoredObject } from "./storage.ts";

/** Facts of so many files are asked for at once. */
const STAT_BATCH = 64;

interface Entry {
  /** Key of a file, or of a folder with its slash: the order of these is the order of the keys below. */
  readonly key: string;
  readonly isFolder: boolean;
}

/**
 * Walks the objects below a prefix in ascending order of the key's UTF-8 bytes. Folders that are symbolic links are
 * followed, since gets and puts go through them too: an object that can be read must never be missing from a list.
 */
export async function* listFolder(
  folder: StorageFolder,
  reader: FileReader,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<StoredObject> {
  await folder.assertRoot();
  const parent = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  yield* walk({ folder, reader, prefix, signal }, parent, []);
}

interface Walk {
  readonly folder: StorageFolder;
  readonly reader: FileReader;
  readonly prefix: string;
  readonly signal: AbortSignal | undefined;
}

/** @param above identities of the folders on the way from the root, against links that lead back up */
async function* walk(one: Walk, parent: string, above: readonly string[]): AsyncGenerator<StoredObject> {
  const { folder, prefix, signal } = one;
  checkAborted(signal);
  const path = join(folder.root, parent);
  const identity = await identityOf(path);
  if (identity === undefined || above.includes(identity)) return;
  const entries = await readEntries(path, parent, prefix);
  for (let at = 0; at < entries.length; ) {
    const entry = entries[at] as Entry;
    if (entry.isFolder) {
      yield* walk(one, entry.key, [...above, identity]);
      at++;
      continue;
    }
    checkAborted(signal);
    const batch = entries.slice(at, at + STAT_BATCH);
    const end = batch.findIndex((one) => one.isFolder);
    const files = end < 0 ? batch : batch.slice(0, end);
    for (const object of await Promise.all(files.map((file) => factsOf(one, file.key)))) {
      if (object !== undefined) yield object;
    }
    at += files.length;
  }
}

async function readEntries(path: string, parent: string, prefix: string): Promise<readonly Entry[]> {
  const found: { readonly entry: Entry; readonly order: Buffer }[] = [];
  for (const dirent of await readFolder(path)) {
    if (dirent.name.startsWith(RESERVED_PREFIX)) continue;
    const isFolder =
      dirent.isDirectory() || (dirent.isSymbolicLink() && (await leadsToFolder(path, dirent.name)));
    if (!isFolder && !dirent.isFile()) continue;
    const key = parent + dirent.name + (isFolder ? "/" : "");
    // A folder counts when the prefix goes on below it, too.
    if (key.startsWith(prefix) || (isFolder && prefix.startsWith(key))) {
      found.push({ entry: { key, isFolder }, order: Buffer.from(key) });
    }
  }
  return found.sort((a, b) => Buffer.compare(a.order, b.order)).map(({ entry }) => entry);
}

/** An empty list only when there is no such folder: everything else that goes wrong is an error. */
async function readFolder(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (meansNothingThere(error)) return [];
    throw fileError(error, `list ${path}`);
  }
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path);
    return `${dev}:${ino}`;
  } catch (error) {
    if (meansNothingThere(error)) return undefined;
    throw fileError(error, `list ${path}`);
  }
}

async function leadsToFolder(path: string, name: string): Promise<boolean> {
  try {
    return (await stat(join(path, name))).isDirectory();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false; // leads nowhere: no object
    throw fileError(error, `follow the symbolic link ${join(path, name)}`);
  }
}

/** Undefined when the object was deleted since its folder was read. */
async function factsOf({ folder, reader }: Walk, key: string): Promise<StoredObject | undefined> {
  try {
    const facts = await reader.look(join(folder.root, key));
    return { key, sizeBytes: facts.size, lastModifiedMs: Math.round(facts.mtimeMs) };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw fileError(error, `list ${key}`);
  }
}
