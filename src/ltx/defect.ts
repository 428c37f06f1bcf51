import { WalrustError } from "../errors.ts";

/** The error for an LTX file that is not what its name says, or whose checksums do not agree. */
export function ltxDefect(
  code: "INTEGRITY_FORMAT" | "INTEGRITY_CHECKSUM",
  objectName: string,
  offset: number,
  what: string,
): WalrustError {
  return new WalrustError(code, `${objectName} is damaged: ${what}, at byte ${offset}`, {
    hint: "Run `walrust verify` to see what else is damaged.",
    details: { object: objectName, offset },
  });
}
