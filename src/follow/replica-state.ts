import { formatChecksum } from "../ltx/checksum.ts";
import type { Position } from "../ltx/format.ts";
import { replaceFileDurably } from "../shadow/durable-file.ts";
import { SealedFields } from "../shadow/sealed-fields.ts";
import { readTextIfThere, seal } from "../shadow/sealed-json.ts";
import { type PageOne, SOURCE_FIELDS_SIZE } from "./page-one.ts";

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
  const text = readTextIfThere(path);
  return text === undefined ? undefined : (parseState(text) ?? "unreadable");
}

/** Errors: LOCAL_IO, LOCAL_DISK_FULL; then the state before it stands. */
export function writeState(path: string, state: ReplicaState): Promise<void> {
  return replaceFileDurably(path, Buffer.from(formatState(state)));
}

/** u64 as 16 hex digits. */
export function formatState({ source, current, next }: ReplicaState): string {
  return seal({
    version: VERSION,
    source,
    current: current ? fieldsOf(current) : null,
    next: next ? fieldsOf(next) : null,
  });
}

/** Undefined for anything that this version did not write whole. */
export function parseState(text: string): ReplicaState | undefined {
  const fields = SealedFields.of(text, VERSION);
  if (fields === undefined) return undefined;
  const state = {
    source: fields.text("source"),
    current: fields.section("current", appliedOf),
    next: fields.section("next", appliedOf),
  };
  return fields.isSound ? state : undefined;
}

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

function appliedOf(fields: SealedFields): Applied {
  return {
    txid: fields.u64("txid"),
    postApply: fields.u64("post_apply"),
    pageSizeBytes: fields.pageSize("page_size"),
    commitPages: fields.u32("commit_pages"),
    timestampMs: fields.time("timestamp"),
    pageOne: fields.section("page_one", pageOneOf),
  };
}

function pageOneOf(fields: SealedFields): PageOne {
  return {
    sourceFields: fields.hex("source_fields", SOURCE_FIELDS_SIZE),
    counter: fields.u32("counter"),
    checksum: fields.u64("checksum"),
  };
}
