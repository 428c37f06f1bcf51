import { isWalrustError, WalrustError } from "../errors.ts";
import type { HttpResponse } from "./http-pool.ts";
import { isTransient, type Persistence } from "./retry.ts";
import type { S3Requests } from "./s3-requests.ts";
import type { ReadOptions } from "./storage.ts";

/** A read that has brought something is not given up sooner: a restore of hours outlives a restart of the storage. */
const PATIENCE_MS = 120_000;

/** An answer whose first piece has come. */
interface Opened {
  readonly response: HttpResponse;
  readonly first: Uint8Array | undefined;
  readonly etag: string | undefined;
  /** Where the bytes that are wanted end: the object's end, or the range's. Undefined: not known before the answer's end. */
  readonly end: number | undefined;
}

/** @param key in the bucket, with its prefix */
export async function* readObject(
  requests: S3Requests,
  persistence: Persistence,
  key: string,
  { offset = 0, length, signal }: ReadOptions,
): AsyncGenerator<Uint8Array> {
  if (length === 0) return;
  const wantedEnd = length === undefined ? Number.POSITIVE_INFINITY : offset + length;
  let position = offset;
  let etag: string | undefined;
  for (;;) {
    // The first piece belongs to the attempt: an answer that brings nothing counts as a failure, one that does starts anew.
    const wanted = { position, wantedEnd, etag, signal };
    const patienceMs = position > offset ? PATIENCE_MS : 0;
    const opened = await persistence.run(() => open(requests, key, wanted), signal, patienceMs);
    if (opened === undefined) return;
    const { response, first, end } = opened;
    etag ??= opened.etag;
    try {
      for (let piece = first; piece !== undefined; piece = await response.body.next()) {
        const wanted = piece.length > wantedEnd - position ? piece.subarray(0, wantedEnd - position) : piece;
        position += wanted.length;
        if (wanted.length > 0) yield wanted;
        if (position >= wantedEnd) return;
      }
      if (end === undefined || position >= end) return;
    } catch (error) {
      // Without an etag a resumed read could mix two versions.
      if (!isTransient(error) || etag === undefined) throw error;
    } finally {
      response.body.abandon();
    }
  }
}

interface Wanted {
  readonly position: number;
  readonly wantedEnd: number;
  readonly etag: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Undefined: the object ends at or before `position`. */
async function open(requests: S3Requests, key: string, wanted: Wanted): Promise<Opened | undefined> {
  const { position, wantedEnd, etag, signal } = wanted;
  const whole = position === 0 && wantedEnd === Number.POSITIVE_INFINITY;
  const last = wantedEnd === Number.POSITIVE_INFINITY ? "" : String(wantedEnd - 1);
  let response: HttpResponse;
  try {
    response = await requests.send({
      method: "GET",
      key,
      headers: {
        ...(whole ? {} : { range: `bytes=${position}-${last}` }),
        ...(etag === undefined ? {} : { "if-match": etag }),
      },
      signal,
    });
  } catch (error) {
    if (isWalrustError(error) && error.details["status"] === 416) return undefined;
    if (isWalrustError(error, "STORAGE_CONFLICT")) {
      throw new WalrustError("STORAGE_CONFLICT", `${key} was changed while it was read`, { cause: error });
    }
    throw error;
  }
  try {
    const size = sizeOf(response, key, position);
    const first = await response.body.next();
    const end = size === undefined ? undefined : Math.min(size, wantedEnd);
    if (first === undefined && end !== undefined && position < end) {
      throw new WalrustError(
        "STORAGE_NETWORK",
        `${key}: storage answered with none of the bytes that it has`,
      );
    }
    const header = response.headers["etag"];
    return { response, first, etag: typeof header === "string" ? header : undefined, end };
  } catch (error) {
    response.body.abandon();
    throw error;
  }
}

/** Size of the object, and proof that the answer begins at `position`. */
function sizeOf(response: HttpResponse, key: string, position: number): number | undefined {
  if (response.status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(String(response.headers["content-range"]));
    if (range !== null && Number(range[1]) === position) return Number(range[2]);
  } else if (position === 0) {
    const length = response.headers["content-length"];
    return typeof length === "string" ? Number(length) : undefined;
  }
  throw new WalrustError("STORAGE_REJECTED", `${key}: storage did not give the range that was asked for`);
}
