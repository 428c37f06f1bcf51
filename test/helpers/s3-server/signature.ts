import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { S3Error } from "./s3-error.ts";

/** What a request is signed over. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as they came over the wire. */
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const CREDENTIAL =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;
const MAX_SKEW_MS = 15 * 60 * 1000;

/**
 * Verifies a request as AWS documents Signature Version 4, from the bytes that came, without any code of the client.
 * Throws S3Error.
 */
export function verifySignature(request: SignedRequest, identity: Identity, nowMs: number): void {
  const { headers } = request;
  const match = CREDENTIAL.exec(headers.authorization ?? "");
  if (headers.authorization === undefined) throw new S3Error(403, "AccessDenied", "no signature");
  if (match === null) throw new S3Error(400, "AuthorizationHeaderMalformed");
  const [, accessKeyId = "", day = "", region = "", service = "", signedList = "", signature = ""] = match;
  if (accessKeyId !== identity.accessKeyId) throw new S3Error(403, "InvalidAccessKeyId");
  if (region !== identity.region) {
    throw new S3Error(400, "AuthorizationHeaderMalformed", "wrong region", {
      "x-amz-bucket-region": identity.region,
    });
  }
  if (service !== "s3") throw new S3Error(400, "AuthorizationHeaderMalformed", "wrong service");

  const date = String(headers["x-amz-date"] ?? "");
  checkTime(date, day, nowMs);
  const payloadHash = String(headers["x-amz-content-sha256"] ?? "");
  checkPayload(payloadHash, request.body);
  const signed = signedList.split(";");
  checkSignedHeaders(signed, headers);

  const canonical = canonicalRequest(request, signed, payloadHash);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = [ALGORITHM, date, scope, sha256(canonical)].join("\n");
  const key = [day, region, service, "aws4_request"].reduce<Buffer | string>(
    (secret, part) => hmac(secret, part),
    `AWS4${identity.secretAccessKey}`,
  );
  const expected = hmac(key, toSign);
  if (!timingSafeEqual(expected, Buffer.from(signature, "hex"))) {
    throw new S3Error(403, "SignatureDoesNotMatch", `canonical request:\n${canonical}`);
  }
}

function checkTime(date: string, day: string, nowMs: number): void {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date)?.slice(1).map(Number);
  if (parts === undefined || !date.startsWith(day)) throw new S3Error(403, "AccessDenied", "bad x-amz-date");
  const [year = 0, month = 1, dayOfMonth = 1, hours = 0, minutes = 0, seconds = 0] = parts;
  const sentMs = Date.UTC(year, month - 1, dayOfMonth, hours, minutes, seconds);
  if (Math.abs(sentMs - nowMs) > MAX_SKEW_MS) throw new S3Error(403, "RequestTimeTooSkewed");
}

function checkPayload(declared: string, body: Buffer): void {
  if (declared.startsWith("STREAMING-"))
    throw new S3Error(501, "NotImplemented", "no trailers, no chunked signatures");
  if (!/^[0-9a-f]{64}$/.test(declared))
    throw new S3Error(400, "InvalidRequest", `payload is not signed: ${declared}`);
  if (declared !== sha256(body)) throw new S3Error(400, "XAmzContentSHA256Mismatch");
}

function checkSignedHeaders(signed: readonly string[], headers: IncomingHttpHeaders): void {
  if ([...signed].sort().join() !== signed.join())
    throw new S3Error(400, "AuthorizationHeaderMalformed", "not sorted");
  if (!signed.includes("host")) throw new S3Error(403, "AccessDenied", "host is not signed");
  const unsigned = Object.keys(headers).filter((name) => name.startsWith("x-amz-") && !signed.includes(name));
  if (unsigned.length > 0)
    throw new S3Error(403, "AccessDenied", `headers present but not signed: ${unsigned}`);
}

function canonicalRequest(request: SignedRequest, signed: readonly string[], payloadHash: string): string {
  const path = request.rawPath
    .split("/")
    .map((segment) => strictEncode(decodeURIComponent(segment)))
    .join("/");
  const query = request.rawQuery
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const equals = pair.indexOf("=");
      const name = equals < 0 ? pair : pair.slice(0, equals);
      const value = equals < 0 ? "" : pair.slice(equals + 1);
      return `${strictEncode(decodeURIComponent(name))}=${strictEncode(decodeURIComponent(value))}`;
    })
    .sort()
    .join("&");
  const headers = signed.map((name) => {
    const value = request.headers[name];
    if (value === undefined)
      throw new S3Error(403, "SignatureDoesNotMatch", `signed header ${name} is missing`);
    return `${name}:${String(value).trim().replace(/\s+/g, " ")}\n`;
  });
  return [request.method, path, query, headers.join(""), signed.join(";"), payloadHash].join("\n");
}

/** RFC 3986: everything but the unreserved characters. */
function strictEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest();
