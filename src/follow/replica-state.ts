import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { formatChecksum, parseChecksum } from "../ltx/checksum.ts";
import type { Position } from "../ltx/format.ts";
import { replaceFileDurably } from "../shadow/durable-file.ts";
import { localError } from "../shadow/local-error.ts";
import type { PageOne } from "./page-one.ts";

/** What the pages of a replica are: a state of the source, proved. */
export interface Applied extends Position {
  readonly pageSizeBytes: number;
  readonly commitPages: number;
  /** When its last commit was captured, Unix ms. */
  readonly timestampMs: number;
  /** Undefined for a database without pages. */
  readonly pageOne: PageOne | undefined;
}

/**
 * `{file}-replica-state`: which source a file follows, and how far it is. `next` is written before pages change, and
 * becomes `current` after: whichever moment a crash takes, the pages are one of the two, and their checksum tells which.
 */
export interface ReplicaState {
  /** Storage and name of the source, as one address. */
  readonly source: string;
  /** Undefined: nothing was applied yet. */
  readonly current: Applied | undefined;
  readonly next: Applied | undefined;
}

const VERSION = 1;

/**
 * The state; `unreadable`: this is a replica's state, and what it says is lost. Undefined: there is none.
 * Errors: LOCAL_IO.
 */
export function readState(path: string): ReplicaState | "unreadable" | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw localError(error, "read", path);
  }
  return parseState(text) ?? "unreadable";
}

/** Errors: LOCAL_IO, LOCAL_DISK_FULL; then the state before it stands. */
export function writeState(path: string, state: ReplicaState): Promise<void> {
  return replaceFileDurably(path, Buffer.from(formatState(state)));
}

/** One line of JSON, u64 as 16 hex digits, and its CRC-32. */
export function formatState({ source, current, next }: ReplicaState): string {
  const body = JSON.stringify({
    version: VERSION,
    source,
    current: current ? fieldsOf(current) : null,
    next: next ? fieldsOf(next) : null,
  });
  return `${body}\n${crc32(body).toString(16)}\n`;
}

/** Undefined for anything that this version did not write whole. */
export function parseState(text: string): ReplicaState | undefined {
  const [body, checksum] = text.split("\n");
  if (body === undefined || crc32(body).toString(16) !== checksum) return undefined;
  const fields = JSON.parse(body) as StateFields;
  if (fields.version !== VERSION) return undefined;
  return {
    source: fields.source,
    current: fields.current ? appliedOf(fields.current) : undefined,
    next: fields.next ? appliedOf(fields.next) : undefined,
  };
}

interface StateFields {
  readonly version: number;
  readonly source: string;
  readonly current: AppliedFields | null;
  readonly next: AppliedFields | null;
}

type AppliedFields = ReturnType<typeof fieldsOf>;

function fieldsOf(applied: Applied) {
  const { txid, postApply, pageSizeBytes, commitPages, timestampMs, pageOne } = applied;
  return {
    txid: txid.toString(16).padStart(16, "0"),
    post_apply: formatChecksum(postApply),
    page_size: pageSizeBytes,
    commit_pages: commitPages,
    timestamp: timestampMs,
    page_one: pageOne
      ? {
          source_fields: pageOne.sourceFields,
          counter: pageOne.counter,
          checksum: formatChecksum(pageOne.checksum),
        }
      : null,
  };
}

function appliedOf(fields: AppliedFields): Applied {
  const { page_one: one } = fields;
  return {
    txid: fromHex(fields.txid),
    postApply: fromHex(fields.post_apply),
    pageSizeBytes: fields.page_size,
    commitPages: fields.commit_pages,
    timestampMs: fields.timestamp,
    pageOne: one
      ? { sourceFields: one.source_fields, counter: one.counter, checksum: fromHex(one.checksum) }
      : undefined,
  };
}

function fromHex(text: string): bigint {
  const value = parseChecksum(text);
  if (value === undefined) throw new TypeError("a state with a valid checksum holds 16 hex digits here");
  return value;
}
