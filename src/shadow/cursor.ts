import type { Checksum, Position, Txid } from "../ltx/format.ts";
import type { LogPosition } from "../wal/position.ts";
import { replaceFileDurably } from "./durable-file.ts";
import { readTextIfThere, seal, unseal } from "./sealed-json.ts";

/**
 * What storage has acknowledged, as of the last time it was written down. It may lag behind storage (it is written at handovers, at the end
 * and every few seconds): a resume catches up from the remote files that are newer. It is never ahead of storage.
 */
export interface Cursor {
  /** The remote database that it speaks of. */
  readonly storageUrl: string;
  readonly name: string;
  /** The local file that it speaks of. */
  readonly dev: string;
  readonly ino: string;
  readonly pageSizeBytes: number;
  readonly published: PublishedState;
}

export interface PublishedState extends Position {
  /** Size of the database at that position. */
  readonly commitPages: number;
  /** The last file's timestamp: the next one's is never smaller. */
  readonly timestampMs: number;
  /** Where that position lies in the source log; undefined: there was no log, everything is in the main file. */
  readonly log: LogPosition | undefined;
}

const VERSION = 1;
const HEX_64 = /^[0-9a-f]{16}$/;

/** The cursor, or undefined where there is none or it cannot be trusted: a resume then proves everything anew. Errors: LOCAL_IO. */
export function readCursor(path: string): Cursor | undefined {
  const text = readTextIfThere(path);
  return text === undefined ? undefined : parseCursor(text);
}

/** Errors: LOCAL_IO, LOCAL_DISK_FULL; then the cursor before it stands. */
export function writeCursor(path: string, cursor: Cursor): Promise<void> {
  return replaceFileDurably(path, Buffer.from(formatCursor(cursor)));
}

export function formatCursor(cursor: Cursor): string {
  const { published } = cursor;
  return seal({
    version: VERSION,
    storage_url: cursor.storageUrl,
    name: cursor.name,
    dev: cursor.dev,
    ino: cursor.ino,
    page_size: cursor.pageSizeBytes,
    txid: published.txid.toString(16).padStart(16, "0"),
    post_apply: published.postApply.toString(16).padStart(16, "0"),
    commit_pages: published.commitPages,
    timestamp: published.timestampMs,
    log: published.log ?? null,
  });
}

/** Undefined for anything that this version did not write whole. */
export function parseCursor(text: string): Cursor | undefined {
  const fields = unseal(text);
  if (fields?.["version"] !== VERSION) return undefined;
  return {
    storageUrl: String(fields["storage_url"]),
    name: String(fields["name"]),
    dev: String(fields["dev"]),
    ino: String(fields["ino"]),
    pageSizeBytes: Number(fields["page_size"]),
    published: {
      txid: fromHex(fields["txid"]),
      postApply: fromHex(fields["post_apply"]),
      commitPages: Number(fields["commit_pages"]),
      timestampMs: Number(fields["timestamp"]),
      log: (fields["log"] as LogPosition | null) ?? undefined,
    },
  };
}

function fromHex(value: unknown): Txid | Checksum {
  if (typeof value !== "string" || !HEX_64.test(value))
    throw new TypeError("a cursor with a valid checksum holds 16 hex digits here");
  return BigInt(`0x${value}`);
}
