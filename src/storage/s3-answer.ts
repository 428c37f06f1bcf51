import { WalrustError } from "../errors.ts";

/**
 * Proof that an answer of status 2xx is S3's. Proxies, captive portals and web servers at a wrong address answer with 200 to anything:
 * taken at its word, such an answer to a list says that nothing is there, and one to a PUT that a file is durable.
 */
export interface AnswerHead {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** So much of a document holds its declaration and the name of its root. */
const PROLOGUE_BYTES = 512;

/** No object of ours has this type, and no answer of S3. @param what the request. Errors: STORAGE_NETWORK. */
export function assertNoPage({ headers }: AnswerHead, what: string): void {
  if (/^text\/html\b/i.test(String(headers["content-type"] ?? ""))) throw notS3(what, "a web page");
}

/** The answer to a PUT has no body. Errors: STORAGE_NETWORK. */
export function assertNoBody(body: Uint8Array, what: string): void {
  if (body.length > 0) throw notS3(what, "a document, where S3 answers with none");
}

/**
 * A whole XML document with this root, or an error of S3 (which some operations give with 200). Servers may send white space first, to
 * keep the connection alive. Returns the name of the root. Errors: STORAGE_NETWORK.
 */
export function assertDocument(body: Uint8Array, root: string, what: string): string {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const text = bytes.toString("latin1").trim();
  const prologue = text.slice(0, PROLOGUE_BYTES);
  const [, name, rest = ""] = /^(?:\xef\xbb\xbf)?(?:<\?xml[^>]*\?>\s*)?<(\w+)([^>]*>)/.exec(prologue) ?? [];
  if (name === undefined || (name !== root && name !== "Error"))
    throw notS3(what, `something that is no ${root}`);
  const isEmpty = rest.endsWith("/>") && text.endsWith(rest);
  if (!isEmpty && !text.endsWith(`</${name}>`)) throw notS3(what, `a ${name} that is cut off`);
  return name;
}

function notS3(what: string, found: string): WalrustError {
  return new WalrustError("STORAGE_NETWORK", `${what}: answered with ${found}`, {
    hint: "Check the endpoint, and whether a proxy or a login page of the network stands in between; walrust tries again by itself.",
  });
}
