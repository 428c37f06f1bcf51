import { isWalrustError, WalrustError } from "../errors.ts";
import type { HttpResponse } from "./http-pool.ts";
import { isTransient, type Persistence } from "./retry.ts";
import { etagIn } from "./s3-put.ts";
import type { S3Requests } from "./s3-requests.ts";
import type { ReadOptions } from "./storage.ts";

/** A read that has brought something is not given up sooner: a restore of hours outlives a restart of the storage. */
const PATIENCE_MS = 120_000;
/** An answer that brought less before it stopped is no progress; so many in a row, and the read is given up. */
const LEAST_PROGRESS_BYTES = 64 * 1024;
const MOST_SLOW_ANSWERS = 5;

/** An answer whose first piece has come. */
interface Opened {
  readonly response: HttpResponse;
  readonly first: Uint8Array | undefined;
  readonly etag: string;
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
  let slowAnswers = 0;
  for (;;) {
    // The first piece belongs to the attempt: an answer that brings nothing counts as a failure, one that does starts anew.
    const wanted = { position, wantedEnd, etag, signal };
    const patienceMs = position > offset ? PATIENCE_MS : 0;
    const opened = await persistence.run(() => open(requests, key, wanted), signal, patienceMs);
    if (opened === undefined) return;
    const { response, first, end } = opened;
    // A server may not know If-Match, and a cache between may keep an older version.
    if (etag !== undefined && opened.etag !== etag) {
      response.body.abandon();
      throw changedMeanwhile(key);
    }
    etag = opened.etag;
    const from = position;
    try {
      for (let piece = first; piece !== undefined; piece = await response.body.next()) {
        const wanted = piece.length > wantedEnd - position ? piece.subarray(0, wantedEnd - position) : piece;
        position += wanted.length;
        if (wanted.length > 0) yield wanted;
        if (position >= wantedEnd) return;
      }
      if (end === undefined || position >= end) return;
    } catch (error) {
      if (!isTransient(error)) throw error;
      const isTooSlow = error.code === "STORAGE_TIMEOUT" && position - from < LEAST_PROGRESS_BYTES;
      slowAnswers = isTooSlow ? slowAnswers + 1 : 0;
      if (slowAnswers === MOST_SLOW_ANSWERS) throw error;
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
    if (!whole && isWalrustError(error) && error.details["status"] === 416) return undefined;
    throw isWalrustError(error, "STORAGE_CONFLICT") ? changedMeanwhile(key, error) : error;
  }
  try {
    const size = sizeOf(response, key, whole ? undefined : position);
    // Without one a resumed read could mix two versions.
    const opened = etagIn(response.headers, key);
    const first = await response.body.next();
    const end = size === undefined ? undefined : Math.min(size, wantedEnd);
    if (first === undefined && end !== undefined && position < end) {
      throw new WalrustError(
        "STORAGE_NETWORK",
        `${key}: storage answered with none of the bytes that it has`,
      );
    }
    return { response, first, etag: opened, end };
  } catch (error) {
    response.body.abandon();
    throw error;
  }
}

function changedMeanwhile(key: string, cause?: unknown): WalrustError {
  return new WalrustError("STORAGE_CONFLICT", `${key} was changed while it was read`, { cause });
}

/**
 * Size of the object, and proof that the answer begins where it should.
 * @param position undefined: no range was asked for
 */
function sizeOf(response: HttpResponse, key: string, position: number | undefined): number | undefined {
  if (response.status === 206 && position !== undefined) {
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(String(response.headers["content-range"]));
    if (range !== null && Number(range[1]) === position) return Number(range[2]);
  } else if (response.status === 200 && (position ?? 0) === 0) {
    const length = response.headers["content-length"];
    return typeof length === "string" ? Number(length) : undefined;
  }
  throw new WalrustError("STORAGE_REJECTED", `${key}: storage did not give the range that was asked for`);
}
