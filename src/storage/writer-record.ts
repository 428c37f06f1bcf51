import { WalrustError } from "../errors.ts";

/**
 * writer.json: who may write a remote database (formats.md, section 4; capture.md, "Two writers").
 *
 *     id     16 hex digits, never zero: the node ID in the headers of its files
 *     epoch  from 1; each writer that takes over has a higher one, and fences all before it
 *     boot   the run of the machine that wrote it: a copy of a machine has its id, and never its run
 *     host, pid, since (RFC 3339): for people, and to know on the same machine whether it still runs
 *
 * Keys beyond these are left for later versions.
 */
export interface WriterRecord {
  readonly id: WriterId;
  readonly epoch: number;
  readonly host: string;
  readonly pid: number;
  /** bootId() of process-identity.ts; absent in records of versions that did not tell. */
  readonly boot?: string;
  /** When it took the database over, Unix ms. */
  readonly sinceMs: number;
}

/** A random u64, never 0. */
export type WriterId = bigint;

export const WRITER_RECORD_MAX_BYTES = 4096;
const MAX_HOST_LENGTH = 255;
const ID = /^(?!0{16})[0-9a-f]{16}$/;
/** Names of hosts go into messages as they are. */
const HOST = /^[^\p{Cc}]*$/u;
const BOOT = /^[\w-]{0,64}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

export function formatWriterRecord({ id, epoch, host, pid, boot, sinceMs }: WriterRecord): Uint8Array {
  const since = new Date(sinceMs).toISOString();
  const document = { id: formatWriterId(id), epoch, host, pid, boot, since };
  return Buffer.from(`${JSON.stringify(document)}\n`);
}

export function formatWriterId(id: WriterId): string {
  return id.toString(16).padStart(16, "0");
}

/** Undefined: not one. */
export function parseWriterId(text: unknown): WriterId | undefined {
  return typeof text === "string" && ID.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** @param objectName for messages. Errors: INTEGRITY_FORMAT. */
export function parseWriterRecord(bytes: Uint8Array, objectName: string): WriterRecord {
  const { id, epoch, host, pid, boot, since } = fieldsOf(bytes, objectName);
  const writerId = parseWriterId(id);
  if (writerId === undefined) throw corrupt(objectName, "id");
  if (!isCount(epoch)) throw corrupt(objectName, "epoch");
  if (typeof host !== "string" || host.length > MAX_HOST_LENGTH || !HOST.test(host))
    throw corrupt(objectName, "host");
  if (!isCount(pid)) throw corrupt(objectName, "pid");
  const isBoot = typeof boot === "string" && BOOT.test(boot);
  if (boot !== undefined && !isBoot) throw corrupt(objectName, "boot");
  const sinceMs = typeof since === "string" && TIME.test(since) ? Date.parse(since) : Number.NaN;
  if (Number.isNaN(sinceMs)) throw corrupt(objectName, "since");
  return { id: writerId, epoch, host, pid, ...(isBoot && { boot }), sinceMs };
}

function fieldsOf(bytes: Uint8Array, objectName: string): Readonly<Record<string, unknown>> {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw corrupt(objectName, "the document", error);
  }
  if (typeof document !== "object" || document === null || Array.isArray(document))
    throw corrupt(objectName, "the document");
  return document as Readonly<Record<string, unknown>>;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function corrupt(objectName: string, what: string, cause?: unknown): WalrustError {
  return new WalrustError("INTEGRITY_FORMAT", `${objectName}: ${what} is not as walrust writes it`, {
    ...(cause === undefined ? {} : { cause }),
    hint: "It says who may write this backup. If no other walrust does, delete that object.",
    details: { object: objectName },
  });
}
