import { tmpdir } from "node:os";
import { removeLocalFolder } from "../shadow/local-files.ts";
import { foldersOfTheDead, makeMarkedFolder } from "./marked-folder.ts";

/** What a folder under TMPDIR is for. */
export type ScratchPurpose = "merge" | "verify";

/** Whoever asks for it removes it. Errors: LOCAL_IO, LOCAL_DISK_FULL. */
export function makeScratchFolder(purpose: ScratchPurpose): string {
  return makeMarkedFolder(tmpdir(), prefixOf(purpose));
}

/** Removes those of processes that were killed. Errors: LOCAL_IO. */
export function clearScratchFolders(purpose: ScratchPurpose): void {
  for (const path of foldersOfTheDead(tmpdir(), prefixOf(purpose))) removeLocalFolder(path);
}

function prefixOf(purpose: ScratchPurpose): string {
  return `walrust-${purpose}-`;
}
