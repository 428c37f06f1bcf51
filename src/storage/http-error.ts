import { type ErrorCode, WalrustError } from "../errors.ts";

interface Meaning {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint?: string;
}

const TIMEOUT: Meaning = {
  code: "STORAGE_TIMEOUT",
  reason: "no answer in time",
  hint: "Check the endpoint and the network; walrust tries again by itself.",
};

const BROKEN: Meaning = {
  code: "STORAGE_NETWORK",
  reason: "the connection failed",
  hint: "Check the endpoint and the network; walrust tries again by itself.",
};

const CERTIFICATE: Meaning = {
  code: "STORAGE_REJECTED",
  reason: "the storage's certificate was not accepted",
  hint: "If the storage has a certificate of its own, name its authority in AWS_CA_BUNDLE.",
};

const MEANINGS: Readonly<Record<string, Meaning>> = {
  UND_ERR_CONNECT_TIMEOUT: TIMEOUT,
  UND_ERR_HEADERS_TIMEOUT: TIMEOUT,
  UND_ERR_BODY_TIMEOUT: TIMEOUT,
  ETIMEDOUT: TIMEOUT,
  TOO_SLOW: { ...TIMEOUT, reason: "the answer comes too slowly" },
  UND_ERR_INVALID_ARG: { code: "STORAGE_REJECTED", reason: "it cannot be sent as it is" },
  UND_ERR_CLOSED: { code: "ABORTED", reason: "the storage was closed" },
  UND_ERR_DESTROYED: { code: "ABORTED", reason: "the storage was closed" },
};

/** Certificates that don't hold: trying again can't help. Names as OpenSSL and node give them. */
const CERTIFICATE_CODE =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|ERR_TLS_CERT_ALTNAME_INVALID$|HOSTNAME_MISMATCH$|INVALID_CA$)/;

/** The typed error of a connection that failed, from its code alone. @param what the request, e.g. "PUT /bucket/key" */
export function httpError(error: unknown, what: string): WalrustError {
  if (error instanceof WalrustError) return error;
  const code = codeOf(error);
  const { code: kind, reason, hint } = meaningOf(code);
  return new WalrustError(kind, `${what}: ${reason}${code === undefined ? "" : ` (${code})`}`, {
    cause: error,
    details: code === undefined ? {} : { code },
    ...(hint === undefined ? {} : { hint }),
  });
}

function meaningOf(code: string | undefined): Meaning {
  if (code === undefined) return BROKEN;
  return MEANINGS[code] ?? (CERTIFICATE_CODE.test(code) ? CERTIFICATE : BROKEN);
}

/** node puts the errors of several addresses tried at once into an AggregateError. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === "string") return code;
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner === undefined ? undefined : codeOf(inner);
}
