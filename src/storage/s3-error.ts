import { type ErrorCode, WalrustError } from "../errors.ts";

/** What a refusal of S3 is made of. */
export interface S3Refusal {
  readonly status: number;
  /** S3's code. Undefined: no body (HEAD), or one that is not S3's. */
  readonly code: string | undefined;
  /** What was asked for, e.g. "PUT s3://bucket/key". */
  readonly what: string;
  /** Header x-amz-bucket-region. */
  readonly bucketRegion?: string | undefined;
  /** Header Retry-After. */
  readonly retryAfterMs?: number | undefined;
}

/** S3's codes that say more than their status. Some exist at single providers only. */
const BY_CODE: ReadonlyMap<string, ErrorCode> = new Map(
  Object.entries({
    NoSuchKey: "STORAGE_NOT_FOUND",
    NoSuchBucket: "STORAGE_BUCKET_NOT_FOUND",
    InvalidBucketName: "STORAGE_BUCKET_NOT_FOUND",
    AccessDenied: "STORAGE_AUTH",
    InvalidAccessKeyId: "STORAGE_AUTH",
    SignatureDoesNotMatch: "STORAGE_AUTH",
    AuthorizationHeaderMalformed: "STORAGE_AUTH",
    ExpiredToken: "STORAGE_AUTH",
    InvalidToken: "STORAGE_AUTH",
    TokenRefreshRequired: "STORAGE_AUTH",
    RequestTimeTooSkewed: "STORAGE_AUTH",
    AccountProblem: "STORAGE_AUTH",
    AllAccessDisabled: "STORAGE_AUTH",
    PreconditionFailed: "STORAGE_CONFLICT",
    // Somebody else was writing the object at that moment: whether the condition holds is not known yet.
    ConditionalRequestConflict: "STORAGE_UNAVAILABLE",
    OperationAborted: "STORAGE_UNAVAILABLE",
    SlowDown: "STORAGE_THROTTLED",
    SlowDownRead: "STORAGE_THROTTLED",
    SlowDownWrite: "STORAGE_THROTTLED",
    Throttling: "STORAGE_THROTTLED",
    ThrottlingException: "STORAGE_THROTTLED",
    TooManyRequests: "STORAGE_THROTTLED",
    RequestLimitExceeded: "STORAGE_THROTTLED",
    BandwidthLimitExceeded: "STORAGE_THROTTLED",
    RequestTimeout: "STORAGE_TIMEOUT",
    // The body did not arrive as it was sent: it is sent again.
    BadDigest: "STORAGE_NETWORK",
    IncompleteBody: "STORAGE_NETWORK",
    XAmzContentSHA256Mismatch: "STORAGE_NETWORK",
    QuotaExceeded: "STORAGE_FULL",
    StorageFull: "STORAGE_FULL",
    XMinioStorageFull: "STORAGE_FULL",
    InsufficientCapacity: "STORAGE_FULL",
    InternalError: "STORAGE_UNAVAILABLE",
    ServiceUnavailable: "STORAGE_UNAVAILABLE",
  } as const),
);

/** A 404 is missing here on purpose: without S3's own word it proves nothing but that something answered. */
const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: "STORAGE_AUTH",
  403: "STORAGE_AUTH",
  408: "STORAGE_TIMEOUT",
  412: "STORAGE_CONFLICT",
  425: "STORAGE_UNAVAILABLE",
  429: "STORAGE_THROTTLED",
  501: "STORAGE_REJECTED",
  507: "STORAGE_FULL",
};

const HINTS: Partial<Record<ErrorCode, string>> = {
  STORAGE_BUCKET_NOT_FOUND: "Make the bucket, or correct its name, the endpoint or the region.",
  STORAGE_AUTH: "Check the access key, its permissions on this bucket, the region, and this machine's clock.",
  STORAGE_FULL: "Make room in the bucket or raise its quota; walrust goes on by itself.",
};

/** The typed error of a refusal, from S3's code and the status, never from text. */
export function s3Error(refusal: S3Refusal): WalrustError {
  const { status, code, what, bucketRegion, retryAfterMs } = refusal;
  const kind = meaningOf(status, code);
  const hint =
    bucketRegion === undefined ? HINTS[kind] : `Set the region to ${bucketRegion}, where the bucket is.`;
  return new WalrustError(kind, `${what}: refused with ${status}${code === undefined ? "" : ` ${code}`}`, {
    details: {
      status,
      ...(code === undefined ? {} : { code }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
    ...(hint === undefined ? {} : { hint }),
  });
}

function meaningOf(status: number, code: string | undefined): ErrorCode {
  const byCode = code === undefined ? undefined : BY_CODE.get(code);
  // History is begun anew where nothing is: for that, both must say so.
  if (byCode !== undefined && (byCode !== "STORAGE_NOT_FOUND" || status === 404)) return byCode;
  return BY_STATUS[status] ?? rest(status);
}

function rest(status: number): ErrorCode {
  return status >= 500 ? "STORAGE_UNAVAILABLE" : "STORAGE_REJECTED";
}

/** The code in an error document, which is small and flat. */
export function s3CodeIn(body: Uint8Array): string | undefined {
  return /<Code>([A-Za-z0-9._-]{1,64})<\/Code>/.exec(Buffer.from(body).toString("latin1"))?.[1];
}

/** Retry-After in seconds; its other form, a date, is not used by storages. */
export function retryAfterMs(header: string | string[] | undefined): number | undefined {
  return typeof header === "string" && /^\d{1,5}$/.test(header) ? Number(header) * 1000 : undefined;
}
