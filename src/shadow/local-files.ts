import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { onLocalFile } from "./local-error.ts";

/** Paths of what lies in a folder of ours, sorted by name. Errors: LOCAL_IO. */
export function filesIn(folder: string): readonly string[] {
  return onLocalFile("read", folder, () =>
    readdirSync(folder)
      .sort()
      .map((name) => join(folder, name)),
  );
}

/** One that is not there is removed already. Errors: LOCAL_IO. */
export function removeLocalFile(path: string): void {
  onLocalFile("remove", path, () => rmSync(path, { force: true }));
}

/** With all that is in it; one that is not there is no error. Errors: LOCAL_IO. */
export function removeLocalFolder(path: string): void {
  onLocalFile("remove", path, () => rmSync(path, { recursive: true, force: true }));
}
