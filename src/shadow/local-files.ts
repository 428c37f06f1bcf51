import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { onLocalFile } from "./local-error.ts";

/** Paths of what lies in a folder of ours, sorted by name; none where there is no such folder. Errors: LOCAL_IO. */
export function filesIn(folder: string): readonly string[] {
  return onLocalFile("read", folder, () =>
    namesIn(folder)
      .sort()
      .map((name) => join(folder, name)),
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** One that is not there is removed already. Errors: LOCAL_IO. */
export function removeLocalFile(path: string): void {
  onLocalFile("remove", path, () => rmSync(path, { force: true }));
}

/** With all that is in it; one that is not there is no error. Errors: LOCAL_IO. */
export function removeLocalFolder(path: string): void {
  onLocalFile("remove", path, () => rmSync(path, { recursive: true, force: true }));
}
