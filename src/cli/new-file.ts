import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeFileSync } from "node:fs";
import { WalrustError } from "../errors.ts";

/** Writes a file whole or not at all, and never over another one. Errors: OUTPUT_EXISTS, LOCAL_DISK_FULL, LOCAL_IO. */
export function writeNewFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const descriptor = openSync(temporary, "wx");
    try {
      writeFileSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    linkSync(temporary, path); // a rename would replace what is there
  } catch (error) {
    throw outputError(path, error);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function outputError(path: string, cause: unknown): WalrustError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "EEXIST") {
    return new WalrustError("OUTPUT_EXISTS", `${path} is there already`, {
      hint: "Give another name, or take it away first.",
    });
  }
  const kind = code === "ENOSPC" || code === "EDQUOT" ? "LOCAL_DISK_FULL" : "LOCAL_IO";
  return new WalrustError(kind, `${path} cannot be written: ${code ?? cause}`, { cause });
}
