import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { WalrustError } from "../errors.ts";
import { keyProblem } from "./key-rules.ts";

/** Where a storage is. `prefix` is empty or ends with exactly one slash, so that root + key is always a key. */
export type StorageAddress =
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string }
  | { readonly kind: "file"; readonly folder: string };

/** The union of what providers allow: AWS asks for lower case, 3 to 63 characters; old ones and others for more. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/;

/**
 * Parses `name`, `s3://name/prefix` and `file:///folder`. The part behind `s3://` is taken as it stands (no
 * percent-decoding, like the aws program does); `file:` is a URL. Errors: CONFIG_INVALID.
 */
export function parseStorageUrl(url: string): StorageAddress {
  if (url.startsWith("file:")) return { kind: "file", folder: parseFolder(url) };
  if (url.startsWith("s3://")) return parseBucket(url, url.slice("s3://".length));
  if (url === "") throw invalid(url, "it is empty");
  if (url.includes("://")) throw invalid(url, "only s3:// and file:// are known");
  if (url.includes("/")) throw invalid(url, "a bucket's name has no slash");
  return parseBucket(url, url);
}

/** The address as messages show it: `s3://bucket/prefix`, `file:///folder`. */
export function formatStorageUrl(address: StorageAddress): string {
  if (address.kind === "file") return pathToFileURL(address.folder).href;
  return `s3://${address.bucket}/${address.prefix}`.replace(/\/$/, "");
}

function parseBucket(url: string, rest: string): StorageAddress {
  const slash = rest.indexOf("/");
  const bucket = slash < 0 ? rest : rest.slice(0, slash);
  if (bucket === "") throw invalid(url, "the bucket's name is missing");
  if (!BUCKET.test(bucket) || bucket.includes(".."))
    throw invalid(url, "what it begins with cannot be a bucket");
  const prefix = slash < 0 ? "" : rest.slice(slash + 1).replace(/\/$/, "");
  if (prefix === "") return { kind: "s3", bucket, prefix: "" };
  const problem = keyProblem(prefix);
  if (problem !== undefined) throw invalid(url, `the prefix cannot be used: ${problem}`);
  return { kind: "s3", bucket, prefix: `${prefix}/` };
}

function parseFolder(url: string): string {
  if (!url.startsWith("file:///")) throw invalid(url, "a folder needs three slashes and its absolute path");
  if (/[?#]/.test(url)) throw invalid(url, "write ? and # in a folder's name as %3F and %23");
  let path: string;
  try {
    path = fileURLToPath(url);
  } catch (error) {
    throw invalid(url, "it is not a valid file URL", error);
  }
  const folder = resolve(path);
  if (folder === "/") throw invalid(url, "the root folder of the machine cannot be a storage");
  if (/\p{Cc}/u.test(path)) throw invalid(url, "it contains a control character");
  return folder;
}

function invalid(url: string, reason: string, cause?: unknown): WalrustError {
  return new WalrustError(
    "CONFIG_INVALID",
    `the storage address ${JSON.stringify(withoutUserinfo(url))}: ${reason}`,
    {
      hint: "Write a bucket's name, s3://bucket/prefix, or file:///folder.",
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/** Somebody may paste a URL with a password in it, which may hold a slash: it is refused, and not repeated. */
function withoutUserinfo(url: string): string {
  return url.replace(/^(\w+:\/\/)?.*@/s, "$1***@");
}
