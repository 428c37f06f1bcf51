import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { crc32 } from "node:zlib";
import { type Bucket, type Conditions, type StoredBody, unquote } from "./bucket.ts";
import type { Profile } from "./profiles.ts";
import { S3Error } from "./s3-error.ts";
import { document, element, texts } from "./xml.ts";

export interface Call {
  readonly operation: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Context {
  readonly bucket: Bucket;
  readonly profile: Profile;
  /** Most keys in a page of a list, whatever is asked for. */
  readonly pageSize: number;
  /** Lists may be asked for by folder. */
  readonly delimiters: boolean;
  readonly now: () => number;
}

const KEPT_HEADERS = ["x-amz-storage-class", "x-amz-server-side-encryption", "content-type"];

/** The S3 name of what is asked for. */
export function operationOf(method: string, key: string, query: URLSearchParams): string {
  if (key === "") {
    if (method === "GET" && query.get("list-type") === "2") return "ListObjectsV2";
    if (method === "POST" && query.has("delete")) return "DeleteObjects";
    return method === "HEAD" ? "HeadBucket" : "Unknown";
  }
  if (query.has("uploads") && method === "POST") return "CreateMultipartUpload";
  if (query.has("uploadId")) {
    const ofUpload = { PUT: "UploadPart", POST: "CompleteMultipartUpload", DELETE: "AbortMultipartUpload" };
    return ofUpload[method as keyof typeof ofUpload] ?? "Unknown";
  }
  const ofObject = { PUT: "PutObject", GET: "GetObject", HEAD: "HeadObject", DELETE: "DeleteObject" };
  return ofObject[method as keyof typeof ofObject] ?? "Unknown";
}

/** Does what a signed request asks for. Throws S3Error. */
export function perform(call: Call, context: Context): Answer {
  const { bucket } = context;
  const uploadId = call.query.get("uploadId") ?? "";
  switch (call.operation) {
    case "PutObject": {
      checkWriteHeaders(call.headers);
      const etag = bucket.put(
        call.key,
        call.body,
        keptHeaders(call.headers),
        conditions(call.headers),
        context.now(),
      );
      return empty(200, { ETag: `"${etag}"` });
    }
    case "UploadPart": {
      checkWriteHeaders(call.headers);
      const etag = bucket.putPart(call.key, uploadId, Number(call.query.get("partNumber")), call.body);
      return empty(200, { ETag: `"${etag}"` });
    }
    case "CreateMultipartUpload":
      return xml(
        "InitiateMultipartUploadResult",
        element("UploadId", bucket.begin(call.key, keptHeaders(call.headers))),
      );
    case "CompleteMultipartUpload":
      return complete(call, uploadId, context);
    case "AbortMultipartUpload":
      bucket.abort(call.key, uploadId);
      return empty(204);
    case "GetObject":
    case "HeadObject":
      return read(bucket.get(call.key), call.headers);
    case "DeleteObject":
      bucket.objects.delete(call.key);
      return empty(204);
    case "HeadBucket":
      return empty(200);
    case "ListObjectsV2":
      return list(call.query, context);
    case "DeleteObjects":
      return deleteMany(call, context);
    default:
      throw new S3Error(501, "NotImplemented");
  }
}

function complete(call: Call, uploadId: string, { bucket, now }: Context): Answer {
  const text = call.body.toString();
  const etags = texts(text, "ETag");
  const parts = texts(text, "PartNumber").map((number, i) => ({
    partNumber: Number(number),
    etag: etags[i] ?? "",
  }));
  const etag = bucket.complete(call.key, uploadId, parts, conditions(call.headers), now());
  return xml("CompleteMultipartUploadResult", element("Key", call.key) + element("ETag", `"${etag}"`));
}

function read(object: StoredBody, headers: IncomingHttpHeaders): Answer {
  const ifMatch = headers["if-match"];
  if (ifMatch !== undefined && unquote(ifMatch) !== object.etag) throw new S3Error(412, "PreconditionFailed");
  const common = {
    ...object.headers,
    ETag: `"${object.etag}"`,
    "Last-Modified": new Date(object.lastModifiedMs).toUTCString(),
    "Accept-Ranges": "bytes",
  };
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "");
  if (headers.range === undefined) return { status: 200, headers: common, body: object.body };
  if (range === null) throw new S3Error(501, "NotImplemented", "only simple ranges");
  const size = object.body.length;
  const start = Number(range[1]);
  const end = Math.min(range[2] === "" ? size : Number(range[2]) + 1, size);
  if (start >= size || end <= start) throw new S3Error(416, "InvalidRange");
  return {
    status: 206,
    headers: { ...common, "Content-Range": `bytes ${start}-${end - 1}/${size}` },
    body: object.body.subarray(start, end),
  };
}

function list(query: URLSearchParams, { bucket, pageSize, delimiters }: Context): Answer {
  const delimiter = query.get("delimiter");
  if (delimiter !== null && !delimiters) throw new S3Error(501, "NotImplemented", "delimiter");
  const prefix = query.get("prefix") ?? "";
  if (delimiter) return folders(bucket.keys(prefix, undefined), prefix, delimiter);
  const token = query.get("continuation-token");
  const after = token === null ? undefined : Buffer.from(token, "base64url").toString();
  const keys = bucket.keys(prefix, after);
  const page = keys.slice(0, Math.min(pageSize, Number(query.get("max-keys") ?? 1000)));
  const truncated = page.length < keys.length;
  const contents = page.map((key) => {
    const object = bucket.get(key);
    const facts = [
      element("Key", key),
      element("LastModified", new Date(object.lastModifiedMs).toISOString()),
      element("ETag", `"${object.etag}"`),
      element("Size", object.body.length),
      element("StorageClass", "STANDARD"),
    ];
    return `<Contents>${facts.join("")}</Contents>`;
  });
  const next = truncated
    ? element("NextContinuationToken", Buffer.from(page.at(-1) ?? "").toString("base64url"))
    : "";
  return xml(
    "ListBucketResult",
    element("Prefix", prefix) +
      element("KeyCount", page.length) +
      element("IsTruncated", truncated) +
      next +
      contents.join(""),
  );
}

/** What lies in folders below the prefix, in one page: enough for those who look for nothing else. */
function folders(keys: readonly string[], prefix: string, delimiter: string): Answer {
  const ends = keys.map((key) => key.indexOf(delimiter, prefix.length));
  if (ends.includes(-1)) throw new S3Error(501, "NotImplemented", "objects in a list by folder");
  const common = new Set(keys.map((key, i) => key.slice(0, (ends[i] ?? 0) + delimiter.length)));
  const elements = [...common].map(
    (folder) => `<CommonPrefixes>${element("Prefix", folder)}</CommonPrefixes>`,
  );
  return xml(
    "ListBucketResult",
    element("Prefix", prefix) +
      element("KeyCount", common.size) +
      element("IsTruncated", false) +
      elements.join(""),
  );
}

function deleteMany(call: Call, { bucket, profile }: Context): Answer {
  const md5 = call.headers["content-md5"];
  const crc = call.headers["x-amz-checksum-crc32"];
  if (profile.deleteChecksum === "md5") {
    if (md5 === undefined) throw new S3Error(400, "MissingContentMD5");
    if (call.headers["x-amz-sdk-checksum-algorithm"] !== undefined)
      throw new S3Error(400, "InvalidRequest", "algorithm");
    if (crc !== undefined)
      throw new S3Error(400, "InvalidArgument", "x-amz-checksum-crc32 is not known here");
    if (md5 !== createHash("md5").update(call.body).digest("base64")) throw new S3Error(400, "BadDigest");
  } else {
    if (md5 !== undefined) throw new S3Error(501, "NotImplemented", "Content-MD5");
    const expected = Buffer.alloc(4);
    expected.writeUInt32BE(crc32(call.body));
    if (crc !== expected.toString("base64")) throw new S3Error(400, "BadDigest");
  }
  const keys = texts(call.body.toString(), "Key");
  if (keys.length === 0 || keys.length > 1000) throw new S3Error(400, "MalformedXML", "1 to 1000 keys");
  for (const key of keys) bucket.objects.delete(key);
  return xml("DeleteResult", "");
}

/** Integrity headers that one provider or another refuses on bodies. */
function checkWriteHeaders(headers: IncomingHttpHeaders): void {
  const refused = Object.keys(headers).filter((name) =>
    /^x-amz-(checksum-|sdk-checksum-|trailer)/.test(name),
  );
  if (refused.length > 0) throw new S3Error(400, "InvalidArgument", `unsupported: ${refused}`);
  if (/aws-chunked/.test(headers["content-encoding"] ?? ""))
    throw new S3Error(501, "NotImplemented", "aws-chunked");
}

function conditions(headers: IncomingHttpHeaders): Conditions {
  return { ifNoneMatch: headers["if-none-match"], ifMatch: headers["if-match"] };
}

function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith("x-amz-meta-") || KEPT_HEADERS.includes(name)) kept[name] = String(value);
  }
  return kept;
}

function empty(status: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers, body: Buffer.alloc(0) };
}

function xml(root: string, content: string): Answer {
  return {
    status: 200,
    headers: { "Content-Type": "application/xml" },
    body: Buffer.from(document(root, content)),
  };
}
