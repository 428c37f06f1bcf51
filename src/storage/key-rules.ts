import { WalrustError } from "../errors.ts";

/**
 * What a key may be. Names come from configuration and keys from storage: neither is trusted. What passes here can be joined
 * to a folder's path without leaving it, and survives S3's XML.
 */

/** S3's limit of a key in UTF-8 bytes, less room for the prefix of the bucket. */
const MAX_KEY_BYTES = 768;
/** What a file name may be on the usual file systems, less room for the marks of temporary files. */
const MAX_SEGMENT_BYTES = 200;
/** First characters of names that walrust keeps to itself in storage folders (file-temp.ts). */
export const RESERVED_PREFIX = ".walrust-";

/** Control characters (C0, DEL, C1) and the two noncharacters that XML cannot carry. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to be refused
const FORBIDDEN_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\ufffe\uffff\\]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Why a name or key must not be used, in words that complete a sentence; undefined if it may. */
export function keyProblem(key: string): string | undefined {
  if (key === "") return "it is empty";
  if (LONE_SURROGATE.test(key)) return "it is not valid Unicode";
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`;
  if (FORBIDDEN_CHARACTERS.test(key)) return "it contains a control character or a backslash";
  for (const segment of key.split("/")) {
    if (segment === "") return "it begins or ends with a slash, or has two in a row";
    if (segment === "." || segment === "..") return `it contains ${JSON.stringify(segment)} between slashes`;
    if (segment.startsWith(RESERVED_PREFIX))
      return `names that begin with ${RESERVED_PREFIX} are walrust's own`;
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) {
      return `a part between slashes is longer than ${MAX_SEGMENT_BYTES} bytes`;
    }
  }
  return undefined;
}

/** Guards every storage's door. Errors: STORAGE_REJECTED. */
export function assertKey(key: string): void {
  const problem = keyProblem(key);
  if (problem !== undefined) {
    throw new WalrustError("STORAGE_REJECTED", `the key ${JSON.stringify(key)} cannot be used: ${problem}`);
  }
}

/** A prefix to list: empty, or the start of a key. Errors: STORAGE_REJECTED. */
export function assertListPrefix(prefix: string): void {
  // The start of a key may end within a segment or just behind a slash; a letter makes it a whole key.
  if (prefix !== "") assertKey(`${prefix}x`);
}

/** The order of lists: that of UTF-8 bytes, which is not that of `<`, which goes by UTF-16 units. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
