import { type ErrorCode, WalrustError } from "../errors.ts";

const TIMEOUTS = new Set([
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "ETIMEDOUT",
]);

/** Certificates that don't hold: trying again can't help. Names as OpenSSL and node give them. */
const CERTIFICATE =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|ERR_TLS_CERT_ALTNAME_INVALID$|HOSTNAME_MISMATCH$|INVALID_CA$)/;

/** The typed error of a connection that failed, from its code alone. @param what the request, e.g. "PUT /bucket/key" */
export function httpError(error: unknown, what: string): WalrustError {
  if (error instanceof WalrustError) return error;
  const code = codeOf(error);
  const details = code === undefined ? {} : { code };
  const options = (hint: string) => ({ cause: error, details, hint });
  if (code !== undefined && CERTIFICATE.test(code)) {
    const hint = "If the storage has a certificate of its own, name its authority in AWS_CA_BUNDLE.";
    return new WalrustError(
      "STORAGE_REJECTED",
      `${what}: the storage's certificate was not accepted: ${code}`,
      options(hint),
    );
  }
  const kind: ErrorCode = code !== undefined && TIMEOUTS.has(code) ? "STORAGE_TIMEOUT" : "STORAGE_NETWORK";
  const reason = kind === "STORAGE_TIMEOUT" ? "no answer in time" : "the connection failed";
  return new WalrustError(
    kind,
    `${what}: ${reason}${code === undefined ? "" : ` (${code})`}`,
    options("Check the endpoint and the network; walrust tries again by itself."),
  );
}

/** node puts the errors of several addresses tried at once into an AggregateError. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === "string") return code;
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner === undefined ? undefined : codeOf(inner);
}
