import type { Fault } from "../helpers/s3-server/faults.ts";
import type { Answer } from "../helpers/s3-server/operations.ts";
import { document, element } from "../helpers/s3-server/xml.ts";

/** Real timeouts, as short as tests need them; answers that are `LATE_MS` late are still in time. */
export const TIMEOUTS = { answerTimeoutMs: 100, bodyIdleTimeoutMs: 100 } as const;
const LATE_MS = 20;
const TOO_LATE_MS = 200;
const DRIP_EVERY_MS = 10;

export const READS = ["GetObject", "HeadObject"] as const;
const BODIES = ["PutObject", "UploadPart", "CompleteMultipartUpload", "DeleteObjects"] as const;
const DOCUMENTS = [
  "ListObjectsV2",
  "CreateMultipartUpload",
  "CompleteMultipartUpload",
  "DeleteObjects",
] as const;

export interface NetworkFault {
  readonly name: string;
  readonly fault: Fault;
  /** Each costs a timeout. */
  readonly isSlow?: true;
  /** Once, it cannot be told from the truth: only when it goes on. */
  readonly isPlausible?: true;
  /** The requests that it is about; all of them if not given. */
  readonly of?: readonly string[];
}

const refuse = (status: number, code?: string, headers: Record<string, string> = {}): Fault => ({
  kind: "refuse",
  status,
  headers,
  ...(code !== undefined && { code }),
});

const PAGE = Buffer.from("<html><head><title>Welcome</title></head><body>Please log in</body></html>");
const PAGE_HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  ETag: '"5e-page"',
  "Last-Modified": new Date(0).toUTCString(),
};

/** In the storage's place: nothing happens. */
const instead = (answer: Partial<Answer>): Fault => ({
  kind: "answer",
  when: "instead",
  change: () => ({ status: 200, headers: {}, body: Buffer.alloc(0), ...answer }),
});

const changed = (change: (answer: Answer) => Partial<Answer>): Fault => ({
  kind: "answer",
  when: "after",
  change: (answer) => ({ ...answer, ...change(answer) }),
});

const without = (headers: Answer["headers"], name: string) =>
  Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));

function slow(name: string, fault: Fault): readonly NetworkFault[] {
  return [{ name, fault, isSlow: true }];
}

export const CONNECTION_FAULTS: readonly NetworkFault[] = [
  { name: "reset before anything happened", fault: { kind: "reset", when: "before" } },
  { name: "reset after it took effect", fault: { kind: "reset", when: "after" } },
  {
    name: "reset in the middle of the request's body",
    fault: { kind: "unread", afterBytes: 1, how: "reset" },
    of: BODIES,
  },
  {
    name: "a request's body that is never read",
    fault: { kind: "unread", afterBytes: 1, how: "stall" },
    isSlow: true,
    of: BODIES,
  },
  { name: "cut before the answer's body", fault: { kind: "cut", afterBytes: 0, how: "reset" } },
  { name: "cut in the middle of the answer's body", fault: { kind: "cut", afterBytes: 30, how: "reset" } },
  { name: "an answer that comes late", fault: { kind: "late", afterMs: LATE_MS } },
  ...slow("an answer that stops in its middle", { kind: "cut", afterBytes: 30, how: "stall" }),
  ...slow("no answer, ever, and nothing happened", { kind: "stall", when: "before" }),
  ...slow("no answer, ever, and it took effect", { kind: "stall", when: "after" }),
  ...slow("an answer that comes too late", { kind: "late", afterMs: TOO_LATE_MS }),
  ...slow("a head that drips", { kind: "drip", everyMs: DRIP_EVERY_MS, what: "head" }),
  ...slow("a body that drips", { kind: "drip", everyMs: DRIP_EVERY_MS, what: "body" }),
  { name: "a Content-Length beyond the body", fault: { kind: "length", differenceBytes: 100 } },
  { name: "a Content-Length within the body", fault: { kind: "length", differenceBytes: -3 } },
];

export const BODY_FAULTS: readonly NetworkFault[] = [
  { name: "200 and nothing else", fault: instead({}) },
  {
    name: "200 and nothing else, after it took effect",
    fault: changed(() => ({ headers: {}, body: Buffer.alloc(0) })),
  },
  { name: "the page of a captive portal", fault: instead({ headers: PAGE_HEADERS, body: PAGE }) },
  {
    name: "a page of no type",
    fault: instead({ headers: without(PAGE_HEADERS, "Content-Type"), body: PAGE }),
  },
  { name: "a page with 503", fault: { kind: "html", status: 503 } },
  { name: "a page with 404", fault: { kind: "html", status: 404 } },
  {
    name: "XML that ends early",
    fault: changed(({ body }) => ({ body: body.subarray(0, body.length - 12) })),
    of: DOCUMENTS,
  },
  {
    name: "the XML of another operation",
    fault: instead({ body: Buffer.from(document("CopyObjectResult", element("ETag", '"x"'))) }),
    of: DOCUMENTS,
  },
  {
    name: "an error of S3 with 200",
    fault: instead({ body: Buffer.from("<Error><Code>InternalError</Code></Error>") }),
    of: DOCUMENTS,
  },
  {
    name: "compressed garbage",
    fault: instead({ headers: { "Content-Encoding": "gzip" }, body: Buffer.from("1f8b0800deadbeef", "hex") }),
    of: DOCUMENTS,
  },
  { name: "no etag", fault: changed(({ headers }) => ({ headers: without(headers, "ETag") })) },
];

export const REFUSALS: readonly NetworkFault[] = [
  { name: "304", fault: refuse(304) },
  { name: "403 in the middle of a life", fault: refuse(403, "AccessDenied") },
  { name: "a key that ran out", fault: refuse(400, "ExpiredToken") },
  { name: "404 for a bucket that is there", fault: refuse(404, "NoSuchBucket") },
  { name: "NoSuchKey with 500", fault: refuse(500, "NoSuchKey") },
  { name: "500", fault: refuse(500, "InternalError") },
  { name: "503, Retry-After: 0", fault: refuse(503, "SlowDown", { "retry-after": "0" }) },
  { name: "503, Retry-After: a week", fault: refuse(503, "SlowDown", { "retry-after": "604800" }) },
  { name: "429, Retry-After: -5", fault: refuse(429, undefined, { "retry-after": "-5" }) },
  {
    name: "429, Retry-After: a date",
    fault: refuse(429, undefined, { "retry-after": "Wed, 21 Oct 2065 07:28:00 GMT" }),
  },
  { name: "507", fault: refuse(507) },
  { name: "301", fault: refuse(301, "PermanentRedirect", { location: "http://127.0.0.1:9/" }) },
  { name: "307 to itself", fault: refuse(307, "TemporaryRedirect", { location: "/" }) },
  {
    name: "a clock that is off, by a time that cannot be",
    fault: refuse(403, "RequestTimeTooSkewed", { date: "never" }),
  },
];

/** Pages of lists that cannot be. */
interface Entry {
  readonly key: string;
  readonly size?: string;
  readonly time?: string;
}

function listed(
  entries: readonly Entry[],
  more: { readonly next?: string; readonly truncated?: string } = {},
): Buffer {
  const { next, truncated = String(next !== undefined) } = more;
  const contents = entries.map(
    ({ key, size = "5", time = new Date(0).toISOString() }) =>
      `<Contents>${element("Key", key)}${element("LastModified", time)}${element("Size", size)}</Contents>`,
  );
  const token = next === undefined ? "" : element("NextContinuationToken", next);
  const end = truncated === "" ? "" : element("IsTruncated", truncated);
  return Buffer.from(document("ListBucketResult", end + token + contents.join("")));
}

/** @param prefix of what is there, with its slash */
export function listFaults(prefix: string): readonly NetworkFault[] {
  const key = `${prefix}00000001-00000001.ltx`;
  const list = (name: string, page: () => Buffer): NetworkFault => ({
    name,
    of: ["ListObjectsV2"],
    fault: { kind: "answer", when: "instead", change: () => ({ status: 200, headers: {}, body: page() }) },
  });
  const endless = (name: string, page: () => Buffer): NetworkFault => ({
    ...list(name, page),
    isPlausible: true,
  });
  return [
    endless("one page again and again", () => listed([{ key }], { next: "again" })),
    endless("empty pages, each of which names the same next one", () => listed([], { next: "again" })),
    list("keys that nobody asked for", () => listed([{ key: "elsewhere/00000001-00000001.ltx" }])),
    list("a key twice", () => listed([{ key }, { key }])),
    list("keys out of order", () => listed([{ key: `${prefix}b` }, { key: `${prefix}a` }])),
    list("a key without an end", () => listed([{ key: `${prefix}${"k".repeat(2000)}` }])),
    list("a size of 10^30", () => listed([{ key, size: `1${"0".repeat(30)}` }])),
    list("a size below nothing", () => listed([{ key, size: "-1" }])),
    list("a size that is a word", () => listed([{ key, size: "large" }])),
    list("a time that is none", () => listed([{ key, time: "yesterday" }])),
    list("a page that does not say whether more follow", () => listed([{ key }], { truncated: "" })),
    list("a page that says that more follow, but not where", () => listed([{ key }], { truncated: "true" })),
  ];
}

/** Answers to a GET that are no answer to it. */
export function readFaults(other: Buffer): readonly NetworkFault[] {
  const of = ["GetObject"];
  return [
    { name: "another object's bytes", of, fault: changed(() => ({ body: other })) },
    { name: "a part, where the whole was asked for", of, fault: changed(partOf) },
    {
      name: "another range",
      of,
      fault: changed(({ headers, body }) => ({
        status: 206,
        headers: { ...headers, "Content-Range": `bytes 7-${6 + body.length}/${body.length + 100}` },
      })),
    },
    {
      name: "200, where a range was asked for",
      of,
      fault: changed(({ headers }) => ({ status: 200, headers: without(headers, "Content-Range") })),
    },
  ];
}

function partOf({ status, headers, body }: Answer): Partial<Answer> {
  if (status !== 200 || body.length < 2) return {};
  const half = body.subarray(0, body.length >> 1);
  const range = { "Content-Range": `bytes 0-${half.length - 1}/${half.length}` };
  return { status: 206, headers: { ...headers, ...range }, body: half };
}

/** Those of a table that have these names, and no fewer. */
export function named(faults: readonly NetworkFault[], ...names: readonly string[]): readonly NetworkFault[] {
  return names.map((name) => {
    const found = faults.find((fault) => fault.name === name);
    if (found === undefined) throw new Error(`no such fault: ${name}`);
    return found;
  });
}
