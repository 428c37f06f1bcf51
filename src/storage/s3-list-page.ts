import { parseXML } from "@aws-sdk/xml-builder";
import { LATEST_TIME_MS } from "../clock.ts";
import { WalrustError } from "../errors.ts";

export const LIST_ROOT = "ListBucketResult";

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly lastModifiedMs: number;
}

export interface ListedPage {
  readonly objects: readonly ListedObject[];
  /** Asks for the page that follows. */
  readonly next: string | undefined;
}

/** S3's limit. */
const LONGEST_KEY_BYTES = 1024;
const SIZE = /^\d+$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

type Element = Readonly<Record<string, unknown>>;

/**
 * A page of a list that says where it ends and has only what was asked for: whatever else it is proves nothing.
 * @param document one with the root LIST_ROOT (S3's API reference, ListObjectsV2). @param what the request. Errors: STORAGE_REJECTED.
 */
export function parseListPage(document: Uint8Array, prefix: string, what: string): ListedPage {
  const wrong = (reason: string, cause?: unknown) =>
    new WalrustError("STORAGE_REJECTED", `${what}: ${reason}`, { cause });
  const page = rootOf(document, wrong);
  const truncated = page["IsTruncated"];
  const next = page["NextContinuationToken"];
  if (truncated !== "true" && truncated !== "false") throw wrong("the page does not say whether more follow");
  if (truncated === "true" && (typeof next !== "string" || next === ""))
    throw wrong("the page says that more follow, but not where");
  if ("Prefix" in page && page["Prefix"] !== prefix) throw wrong("the page is one of another list");
  const objects = listOf(page["Contents"]).map((entry) => objectOf(entry, prefix, wrong));
  return { objects, next: truncated === "true" ? String(next) : undefined };
}

type Wrong = (reason: string, cause?: unknown) => WalrustError;

function rootOf(document: Uint8Array, wrong: Wrong): Element {
  const text = Buffer.from(document.buffer, document.byteOffset, document.byteLength).toString();
  try {
    return asElement((parseXML(text) as Element)[LIST_ROOT]);
  } catch (error) {
    throw wrong("the answer cannot be read", error);
  }
}

function objectOf(entry: Element, prefix: string, wrong: Wrong): ListedObject {
  const { Key: key, Size: size, LastModified: time } = entry;
  if (typeof key !== "string" || typeof size !== "string" || typeof time !== "string")
    throw wrong("an entry lacks its key, size or time");
  if (!key.startsWith(prefix) || Buffer.byteLength(key) > LONGEST_KEY_BYTES)
    throw wrong("an entry was not asked for");
  const sizeBytes = SIZE.test(size) ? Number(size) : Number.NaN;
  if (!Number.isSafeInteger(sizeBytes)) throw wrong(`${key} has no size that can be`);
  const lastModifiedMs = TIME.test(time) ? Date.parse(time) : Number.NaN;
  if (!(lastModifiedMs >= 0 && lastModifiedMs <= LATEST_TIME_MS))
    throw wrong(`${key} has no time that can be`);
  return { key, sizeBytes, lastModifiedMs };
}

/** Elements that may be repeated: one alone is no array. */
function listOf(elements: unknown): readonly Element[] {
  if (elements === undefined) return [];
  return (Array.isArray(elements) ? elements : [elements]).map(asElement);
}

/** One without children is its text. */
function asElement(value: unknown): Element {
  return typeof value === "object" && value !== null ? (value as Element) : {};
}
