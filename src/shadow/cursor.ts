import type { Position } from "../ltx/format.ts";
import { isBetweenFrames, type LogPosition } from "../wal/position.ts";
import { replaceFileDurably } from "./durable-file.ts";
import { SealedFields } from "./sealed-fields.ts";
import { readTextIfThere, seal } from "./sealed-json.ts";

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
  /** The run of the machine in which it was written (bootId()); empty where that was not known. */
  readonly boot: string;
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
    boot: cursor.boot,
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
  const fields = SealedFields.of(text, VERSION);
  if (fields === undefined) return undefined;
  const pageSizeBytes = fields.pageSize("page_size");
  const cursor: Cursor = {
    storageUrl: fields.text("storage_url"),
    name: fields.text("name"),
    dev: fields.text("dev"),
    ino: fields.text("ino"),
    boot: fields.text("boot"),
    pageSizeBytes,
    published: {
      txid: fields.u64("txid"),
      postApply: fields.u64("post_apply"),
      commitPages: fields.u32("commit_pages"),
      timestampMs: fields.time("timestamp"),
      log: fields.section("log", logPosition),
    },
  };
  const { log } = cursor.published;
  return fields.isSound && (log === undefined || isBetweenFrames(log, pageSizeBytes)) ? cursor : undefined;
}

function logPosition(fields: SealedFields): LogPosition {
  return {
    sequence: fields.u32("sequence"),
    salt1: fields.u32("salt1"),
    salt2: fields.u32("salt2"),
    offset: fields.count("offset"),
    checksum1: fields.u32("checksum1"),
    checksum2: fields.u32("checksum2"),
  };
}
