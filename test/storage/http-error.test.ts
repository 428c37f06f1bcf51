import { expect, it } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { httpError } from "../../src/storage/http-error.ts";

const failure = (code: string) => Object.assign(new Error("some text: certificate timeout ENOENT"), { code });

it.each([
  ["ECONNREFUSED", "STORAGE_NETWORK", true],
  ["ECONNRESET", "STORAGE_NETWORK", true],
  ["ENOTFOUND", "STORAGE_NETWORK", true],
  ["EAI_AGAIN", "STORAGE_NETWORK", true],
  ["UND_ERR_SOCKET", "STORAGE_NETWORK", true],
  ["HPE_INVALID_CONSTANT", "STORAGE_NETWORK", true],
  ["UND_ERR_CONNECT_TIMEOUT", "STORAGE_TIMEOUT", true],
  ["UND_ERR_HEADERS_TIMEOUT", "STORAGE_TIMEOUT", true],
  ["UND_ERR_BODY_TIMEOUT", "STORAGE_TIMEOUT", true],
  ["ETIMEDOUT", "STORAGE_TIMEOUT", true],
  ["CERT_HAS_EXPIRED", "STORAGE_REJECTED", false],
  ["SELF_SIGNED_CERT_IN_CHAIN", "STORAGE_REJECTED", false],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "STORAGE_REJECTED", false],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "STORAGE_REJECTED", false],
  ["UND_ERR_INVALID_ARG", "STORAGE_REJECTED", false],
  ["UND_ERR_DESTROYED", "ABORTED", false],
])("%s is %s", (code, kind, retryable) => {
  expect(httpError(failure(code), "PUT /a")).toMatchObject({ code: kind, retryable, details: { code } });
});

it("looks into errors of several addresses, and into causes", () => {
  const several = new AggregateError([failure("ETIMEDOUT"), failure("ECONNREFUSED")]);
  expect(httpError(several, "PUT /a").code).toBe("STORAGE_TIMEOUT");
  expect(httpError(new Error("outer", { cause: failure("CERT_HAS_EXPIRED") }), "PUT /a").code).toBe(
    "STORAGE_REJECTED",
  );
});

it("takes what has no code for a broken connection, and leaves typed errors alone", () => {
  expect(httpError(new Error("certificate"), "PUT /a").code).toBe("STORAGE_NETWORK");
  const typed = new WalrustError("STORAGE_FULL", "full");
  expect(httpError(typed, "PUT /a")).toBe(typed);
});
