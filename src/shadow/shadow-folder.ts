import { createHash } from "node:crypto";
import { lstatSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { onLocalFile } from "./local-error.ts";
import { makePrivateFolder } from "./private-folder.ts";

/** Where the local state of one database lies. Everything in it is ours, and can be lost at the cost of a repair. */
export interface ShadowFolder {
  readonly path: string;
  readonly lock: string;
  readonly cursor: string;
  /** What we remember of the right to write the remote database. */
  readonly writer: string;
  readonly pageTable: string;
  /** A folder, made when the first segment is. */
  readonly segments: string;
  /** What the path of each file of work under way begins with; what is left of them is removed at start. */
  readonly scratch: string;
}

/** Of the names of those that lie beside their databases; they begin with a dot. */
const SUFFIX = "-walrust";

/** Those that lie beside their databases, as a glob. */
export const SHADOW_FOLDERS = `.*${SUFFIX}`;

/** One of them, by its name. */
export function isShadowFolder(name: string): boolean {
  return name.startsWith(".") && name.endsWith(SUFFIX);
}

/** `.{file}-walrust/` beside the database, or a folder named after its whole path under `shadowDir`. */
export function shadowFolder(databasePath: string, shadowDir?: string): ShadowFolder {
  const file = basename(databasePath);
  const path =
    shadowDir === undefined
      ? join(dirname(databasePath), `.${file}${SUFFIX}`)
      : join(shadowDir, `${file}-${createHash("sha256").update(databasePath).digest("hex").slice(0, 16)}`);
  return {
    path,
    lock: join(path, "lock.db"),
    cursor: join(path, "cursor.json"),
    writer: join(path, "writer.json"),
    pageTable: join(path, "page-table"),
    segments: join(path, "segments"),
    scratch: join(path, "scratch-"),
  };
}

/** Errors: LOCAL_IO, LOCAL_DISK_FULL. */
export function createShadowFolder({ path, segments }: Pick<ShadowFolder, "path" | "segments">): void {
  const hint = "Make the folder writable, or name another place with --shadow-dir.";
  makePrivateFolder(path, hint);
  if (isThere(segments)) makePrivateFolder(segments, hint);
}

/** A link that leads nowhere is there too. Errors: LOCAL_IO. */
function isThere(path: string): boolean {
  return onLocalFile("look at", path, () => lstatSync(path, { throwIfNoEntry: false })) !== undefined;
}
