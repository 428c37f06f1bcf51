import { type ErrorCode, WalrustError } from "../errors.ts";
import * as layout from "./layout.ts";

/** What bytes were being read, and where in them the bad ones lie. */
export interface ByteSubject {
  readonly objectName: string;
  readonly offset: number;
}

const DEFECTS: ReadonlyMap<number, readonly [ErrorCode, string]> = new Map([
  [layout.BAD_PAGE_NUMBER_ZERO, ["INTEGRITY_FORMAT", "a page without a number"]],
  [layout.BAD_PAGE_FLAGS, ["INTEGRITY_FORMAT", "page flags that LTX version 3 does not have"]],
  [layout.BAD_PAGE_ORDER, ["INTEGRITY_FORMAT", "a page that does not follow the one before it"]],
  [layout.BAD_PAGE_ABOVE_COMMIT, ["INTEGRITY_FORMAT", "a page beyond the end of the database"]],
  [layout.BAD_LOCK_PAGE, ["INTEGRITY_FORMAT", "the lock page, which is never in a file"]],
  [layout.BAD_PAGE_LENGTH, ["INTEGRITY_FORMAT", "a compressed page of a size that cannot be"]],
  [layout.BAD_LZ4_BLOCK, ["INTEGRITY_FORMAT", "a page whose data is not an LZ4 block"]],
  [layout.BAD_LZ4_TOO_SHORT, ["INTEGRITY_FORMAT", "data that is shorter than a page"]],
  [layout.BAD_LZ4_TOO_LONG, ["INTEGRITY_FORMAT", "data that is longer than a page"]],
  [layout.BAD_LZ4_FRAME, ["INTEGRITY_FORMAT", "a page whose data is not an LZ4 frame"]],
  [layout.BAD_LZ4_FRAME_CHECKSUM, ["INTEGRITY_CHECKSUM", "an LZ4 frame that fails its own checksum"]],
  [layout.BAD_INDEX_VARINT, ["INTEGRITY_FORMAT", "a number in the page index that is too long"]],
  [layout.BAD_INDEX_ENTRY, ["INTEGRITY_FORMAT", "a page index that does not agree with the pages"]],
]);

/** The error for a negative status. One that is not about the bytes is our own mistake: INTERNAL. */
export function statusError(status: number, { objectName, offset }: ByteSubject): WalrustError {
  const [code, what] = DEFECTS.get(status) ?? ["INTERNAL", `status ${status} of the core`];
  return new WalrustError(code, `${objectName} is damaged: ${what}, at byte ${offset}`, {
    ...(code !== "INTERNAL" && { hint: "Run `walrust verify` to see what else is damaged." }),
    details: { object: objectName, offset },
  });
}

/** A status of an operation on bytes of our own making: anything negative is our own mistake. */
export function expectStatus(status: number, operation: string): number {
  if (status >= 0) return status;
  const what = DEFECTS.get(status)?.[1] ?? "an impossible call";
  throw new WalrustError("INTERNAL", `${operation}: ${what} (status ${status} of the core)`);
}
