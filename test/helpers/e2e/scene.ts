import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { tempFolder } from "./temp-folder.ts";

/** A folder of a test: databases live in it, copies go to its storage, and no file of the machine's user is in reach. */
export interface Scene {
  readonly folder: string;
  /** The folder behind the storage address. */
  readonly storage: string;
  readonly address: string;
  path(name: string): string;
}

export function scene(): Scene {
  const folder = tempFolder();
  const storage = join(folder, "storage");
  mkdirSync(storage);
  return { folder, storage, address: pathToFileURL(storage).href, path: (name) => join(folder, name) };
}
