import { isWalrustError, WalrustError } from "../errors.ts";
import type { Provider } from "./provider.ts";
import type { Persistence } from "./retry.ts";
import { refusesConditions, type S3Conditions } from "./s3-conditions.ts";
import type { S3Requests } from "./s3-requests.ts";
import type { PutCondition, PutOptions, PutResult } from "./storage.ts";

export interface PutContext {
  readonly requests: S3Requests;
  readonly persistence: Persistence;
  readonly provider: Provider;
  readonly conditions: S3Conditions;
  /** Storage class and encryption. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * One PUT, tried again until it is settled. An attempt without a clear answer may have had its effect: when the next one
 * meets a condition that fails, what is stored is compared, and adopted if it is this very body.
 * @param key in the bucket, with its prefix
 */
export function putObject(
  context: PutContext,
  key: string,
  body: Uint8Array,
  { condition, sha256, timestampMs, signal }: PutOptions,
): Promise<PutResult> {
  const { requests, persistence } = context;
  const metadata = metadataHeaders({
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(timestampMs === undefined ? {} : { "litestream-timestamp": rfc3339(timestampMs) }),
  });
  const put = { key, body, headers: { ...context.headers, ...metadata }, signal };
  let unclear = false;
  return persistence.run(async () => {
    try {
      return { etag: await putOnce(context, put, condition) };
    } catch (error) {
      if (isConflict(error, condition)) {
        const adopted = unclear ? await etagIfEqual(requests, key, body, signal) : undefined;
        if (adopted !== undefined) return { etag: adopted };
        throw conflictError(key, condition, error);
      }
      unclear = true; // what is not tried again does not come back here
      throw error;
    }
  }, signal);
}

interface Put {
  readonly key: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
}

/** Trying out conditions sends a body twice: only a small one. */
const PROOF_MAX_BYTES = 256 * 1024;

/** @returns the etag */
async function putOnce(context: PutContext, put: Put, condition: PutCondition | undefined): Promise<string> {
  const { requests, conditions } = context;
  if (conditions.needLook) await assertCondition(requests, put.key, condition, put.signal);
  const isDoubted = condition !== undefined && conditions.areDoubted;
  try {
    const etag = await send(requests, put, conditions.headersOf(condition));
    if (condition?.kind === "match") conditions.proveQuotes();
    return isDoubted && put.body.length <= PROOF_MAX_BYTES ? await tryOut(context, put, etag) : etag;
  } catch (error) {
    if (isDoubted && refusesConditions(error)) {
      conditions.giveUp("refuses");
      return putOnce(context, put, condition);
    }
    if (await mayBeItsQuotes(context, put, condition, error))
      return putWithOtherQuotes(context, put, condition);
    throw error;
  }
}

/** A match that failed, and yet it holds. */
async function mayBeItsQuotes(
  { requests, conditions }: PutContext,
  { key, signal }: Put,
  condition: PutCondition | undefined,
  error: unknown,
): Promise<boolean> {
  if (condition?.kind !== "match" || !conditions.quotesAreDoubted || !isConflict(error, condition))
    return false;
  return (await etagOf(requests, key, signal)) === condition.etag;
}

async function putWithOtherQuotes(
  { requests, conditions }: PutContext,
  put: Put,
  condition: PutCondition | undefined,
): Promise<string> {
  conditions.toggleQuotes();
  try {
    const etag = await send(requests, put, conditions.headersOf(condition));
    conditions.proveQuotes();
    return etag;
  } catch (error) {
    conditions.toggleQuotes();
    throw error;
  }
}

/** The object is there now: the same PUT if absent must be refused. Where it is not, it has changed nothing. Returns the etag. */
async function tryOut({ requests, conditions }: PutContext, put: Put, etag: string): Promise<string> {
  try {
    const again = await send(requests, put, conditions.headersOf({ kind: "absent" }));
    conditions.giveUp("ignores");
    return again;
  } catch (error) {
    if (isWalrustError(error, "STORAGE_CONFLICT")) conditions.prove();
    else if (refusesConditions(error)) conditions.giveUp("refuses");
    return etag; // without a clear answer the next one tries again
  }
}

async function send(
  requests: S3Requests,
  { key, body, headers, signal }: Put,
  conditionHeaders: Readonly<Record<string, string>>,
): Promise<string> {
  const all = { ...headers, ...conditionHeaders };
  const response = await requests.sendAndDrain({ method: "PUT", key, headers: all, body, signal });
  return etagIn(response.headers, key);
}

/** Whether a condition failed: 412, or 404 for a match on an object that is gone. */
function isConflict(error: unknown, condition: PutCondition | undefined): boolean {
  if (isWalrustError(error, "STORAGE_CONFLICT")) return true;
  return condition?.kind === "match" && isWalrustError(error, "STORAGE_NOT_FOUND");
}

export function conflictError(
  key: string,
  condition: PutCondition | undefined,
  cause: unknown,
): WalrustError {
  const reason = condition?.kind === "absent" ? "it exists" : "it was changed or deleted meanwhile";
  return new WalrustError("STORAGE_CONFLICT", `${key} was not written: ${reason}`, { cause });
}

/** For providers without conditions. Two writers at the same moment both pass: `conditionalPut` says so. */
export async function assertCondition(
  requests: S3Requests,
  key: string,
  condition: PutCondition | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (condition === undefined) return;
  const etag = await etagOf(requests, key, signal);
  const holds = condition.kind === "absent" ? etag === undefined : etag === condition.etag;
  if (!holds) throw new WalrustError("STORAGE_CONFLICT", `${key} is not as the condition says`);
}

/** Undefined: no such object. By a GET of one byte, since only a body says that it is the key which is missing. */
async function etagOf(
  requests: S3Requests,
  key: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  try {
    const response = await requests.sendAndDrain({
      method: "GET",
      key,
      headers: { range: "bytes=0-0" },
      signal,
    });
    return etagIn(response.headers, key);
  } catch (error) {
    if (isWalrustError(error, "STORAGE_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** The etag of the object if it has exactly these bytes. */
async function etagIfEqual(
  requests: S3Requests,
  key: string,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  try {
    const response = await requests.send({ method: "GET", key, signal });
    const stored = await response.body.collect(body.length);
    return Buffer.compare(stored, body) === 0 ? etagIn(response.headers, key) : undefined;
  } catch (error) {
    // Larger than ours, or deleted since: not what this call wrote.
    if (isWalrustError(error, "STORAGE_REJECTED", "STORAGE_NOT_FOUND")) return undefined;
    throw error;
  }
}

function metadataHeaders(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]));
}

export function etagIn(headers: Readonly<Record<string, unknown>>, key: string): string {
  const etag = headers["etag"];
  if (typeof etag === "string") return etag;
  // Whoever answered, it was not S3; whether the request had its effect is not known.
  throw new WalrustError("STORAGE_NETWORK", `${key}: storage answered without an etag`);
}

/** RFC 3339 with nanoseconds, as Litestream writes it. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000000Z");
}
