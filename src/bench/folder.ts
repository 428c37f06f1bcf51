import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

export interface FolderState {
  readonly files: number;
  readonly bytes: number;
  /** Changes whenever a file appears, goes, grows or is written again. */
  readonly fingerprint: string;
}

/** All files below `path`, links not followed. A file that goes meanwhile is not counted. */
export function folderState(path: string): FolderState {
  const marks: string[] = [];
  let bytes = 0;
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    bytes += stat.size;
    marks.push(`${file} ${stat.ino} ${stat.size} ${stat.mtimeMs}`);
  }
  return { files: marks.length, bytes, fingerprint: marks.sort().join("\n") };
}
