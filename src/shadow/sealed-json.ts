import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { localError } from "./local-error.ts";

/** One line of JSON, and the CRC-32 of it on the next: what is not exactly as it was written is not read. */
export function seal(fields: Readonly<Record<string, unknown>>): string {
  const body = JSON.stringify(fields);
  return `${body}\n${crc32(body).toString(16)}\n`;
}

/** Undefined for anything that was not written whole, or is no object. */
export function unseal(text: string): Readonly<Record<string, unknown>> | undefined {
  const [body, checksum] = text.split("\n");
  if (body === undefined || crc32(body).toString(16) !== checksum) return undefined;
  return objectIn(body);
}

/** A CRC-32 is right by chance, too: once in 4 billion times. */
function objectIn(body: string): Readonly<Record<string, unknown>> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
}

/** The text of a file, or undefined where there is none. Errors: LOCAL_IO. */
export function readTextIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw localError(error, "read", path);
  }
}
