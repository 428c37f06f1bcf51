import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { isWalrustError } from "../../../src/errors.ts";
import { openStorage } from "../../../src/storage/open.ts";
import { resolveEndpoint } from "../../../src/storage/s3-endpoint.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { document, element, errorDocument } from "../../helpers/s3-server/xml.ts";
import { ENV, settingsFor, skippingClock } from "../../storage/support.ts";
import { joined } from "../mutate-bytes.ts";
import { inputOf, type Target, textOf } from "../target.ts";

/** One input asks so often at most: who asks on and on would never end. */
const MOST_REQUESTS = 40;

/** Which requests are answered with the input; the others get what S3 answers when all goes well. */
type Asked = (method: string, path: string) => boolean;

let server: Server | undefined;
let port = 0;
let answer: Uint8Array = new Uint8Array();
let isAsked: Asked = () => true;
let requests = 0;

async function start(): Promise<void> {
  if (server !== undefined) return;
  server = createServer(serve);
  server.unref();
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  port = (server.address() as { port: number }).port;
}

/** One request a connection, read whole. */
function serve(socket: Socket): void {
  let missing: number | undefined;
  socket.on("error", () => socket.destroy());
  let head = Buffer.alloc(0);
  socket.on("data", (piece: Buffer) => {
    if (missing === undefined) {
      head = Buffer.concat([head, piece]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(head.toString("latin1", 0, end))?.[1] ?? 0);
      missing = length - (head.length - end - 4);
    } else missing -= piece.length;
    if (missing > 0) return;
    requests += 1;
    const [method = "", path = ""] = head.toString("latin1", 0, 2000).split(" ");
    if (requests > MOST_REQUESTS) socket.destroy();
    else socket.end(isAsked(method, path) ? answer : goodAnswer(method, path));
  });
}

const STORAGE_CODES = [
  ...([
    "STORAGE_NOT_FOUND",
    "STORAGE_BUCKET_NOT_FOUND",
    "STORAGE_AUTH",
    "STORAGE_CONFLICT",
    "STORAGE_THROTTLED",
  ] as const),
  ...([
    "STORAGE_NETWORK",
    "STORAGE_TIMEOUT",
    "STORAGE_UNAVAILABLE",
    "STORAGE_FULL",
    "STORAGE_REJECTED",
  ] as const),
];

async function ask<T>(input: Uint8Array, asked: Asked, use: (storage: Storage) => Promise<T>): Promise<T> {
  await start();
  answer = input;
  isAsked = asked;
  requests = 0;
  const retry = {
    ...{ maxRetries: 0, baseDelayMs: 1, maxDelayMs: 1, circuitBreakerEnabled: false },
    ...{ circuitBreakerThreshold: 10, circuitBreakerCooldownMs: 1 },
  };
  const settings = settingsFor("s3://bucket/root", {
    endpoint: `http://127.0.0.1:${port}`,
    provider: "aws",
    concurrency: 1,
    retry,
    forcePathStyle: true,
  });
  // Every sleep takes a minute: patience is over after a few.
  const { advance, ...skipping } = skippingClock();
  const sleep = async () => advance(60_000);
  const clock = { ...skipping, sleep, now: () => Date.UTC(2026, 0, 31) };
  const storage = await openStorage(settings, { clock, env: ENV, random: () => 0.5 });
  try {
    return await use(storage);
  } finally {
    await storage.close();
    assert(requests <= MOST_REQUESTS, `asked ${requests} times`);
  }
}

function http(status: string, headers: Readonly<Record<string, string>>, body = ""): Uint8Array {
  const lines = Object.entries({ ...headers, "content-length": String(Buffer.byteLength(body)) }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return inputOf(`HTTP/1.1 ${status}\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
}

/** Content-Length as long as the body is: what differs from it is a connection that breaks. */
function withLength(input: Uint8Array): Uint8Array {
  const text = Buffer.from(input).toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return input;
  const head = text
    .slice(0, end)
    .replace(/content-length:[^\r\n]*/i, `content-length: ${input.length - end - 4}`);
  return joined(Buffer.from(head, "latin1"), input.subarray(end));
}

const DATE = { date: "Sat, 31 Jan 2026 00:00:00 GMT" };
const XML = { ...DATE, "content-type": "application/xml" };
const BEGUN = http("200 OK", XML, document("InitiateMultipartUploadResult", element("UploadId", "u1")));
const COMPLETED = http("200 OK", XML, document("CompleteMultipartUploadResult", element("ETag", '"e"')));

const isBegin = (path: string) => /[?&]uploads(=|&|$)/.test(path);

function goodAnswer(method: string, path: string): Uint8Array {
  if (method === "POST") return isBegin(path) ? BEGUN : COMPLETED;
  return http(method === "DELETE" ? "204 No Content" : "200 OK", { ...DATE, etag: '"p"' });
}

const REFUSALS = [
  http("404 Not Found", XML, errorDocument("NoSuchKey", "no")),
  http("403 Forbidden", XML, errorDocument("RequestTimeTooSkewed", "late")),
  http("503 Slow Down", { ...XML, "retry-after": "7" }, errorDocument("SlowDown", "slow")),
  http(
    "301 Moved",
    { ...XML, "x-amz-bucket-region": "eu-west-1" },
    errorDocument("PermanentRedirect", "there"),
  ),
  http("412 Precondition Failed", XML, errorDocument("PreconditionFailed", "no")),
];
const WORDS = [
  ...[
    "Key",
    "Size",
    "LastModified",
    "IsTruncated",
    "NextContinuationToken",
    "Contents",
    "Code",
    "Error",
    "constructor",
    "toString",
  ],
  ...[
    "content-length",
    "content-range",
    "etag",
    "last-modified",
    "transfer-encoding",
    "chunked",
    "bytes",
    "200",
    "206",
    "404",
    "416",
  ],
];

interface S3Case {
  readonly name: string;
  readonly holds: string;
  readonly answers: readonly Uint8Array[];
  /** Every one, unless it says which. */
  readonly asked?: Asked;
  readonly inputs?: number;
  readonly use: (storage: Storage) => Promise<unknown>;
}

function target({ name, holds, answers, use, asked = () => true, inputs = 80 }: S3Case): Target {
  return {
    ...{ name, holds, input: "text", words: WORDS, repair: withLength, codes: STORAGE_CODES, inputs },
    seeds: () => [...answers, ...REFUSALS],
    run: (input) => ask(input, asked, use),
  };
}

const entry = (key: string, size: number) =>
  element("Key", key) +
  element("LastModified", "2026-01-31T12:00:00.000Z") +
  element("ETag", '"e"') +
  element("Size", size);
const list = (entries: string, rest: string) =>
  http(
    "200 OK",
    XML,
    document(
      "ListBucketResult",
      `${element("Name", "bucket")}${element("Prefix", "root/a/")}${rest}${entries}`,
    ),
  );

const CASES: readonly S3Case[] = [
  {
    name: "s3-list",
    holds:
      "keys below the prefix, in order, each with a size and a time that can be written down; a list ends",
    answers: [
      list(
        `<Contents>${entry("root/a/1", 5)}</Contents><Contents>${entry("root/a/2", 2 ** 40)}</Contents>`,
        element("IsTruncated", false),
      ),
      list(
        `<Contents>${entry("root/a/1", 5)}</Contents>`,
        element("IsTruncated", true) + element("NextContinuationToken", "t1"),
      ),
      list("", element("IsTruncated", false) + element("KeyCount", 0)),
    ],
    async use(storage) {
      const objects: unknown[] = [];
      for await (const object of storage.list("a/")) {
        const { key, sizeBytes, lastModifiedMs } = object;
        assert(key.startsWith("a/"), `the key ${JSON.stringify(key)}`);
        assertFacts(sizeBytes, lastModifiedMs);
        objects.push(object);
      }
      return objects;
    },
  },
  {
    name: "s3-head",
    holds: "a size and a time that can be written down",
    answers: [
      http("200 OK", {
        ...DATE,
        "last-modified": DATE.date,
        etag: '"e"',
        "x-amz-meta-sha256": "ab".repeat(32),
      }),
    ],
    async use(storage) {
      const head = await storage.head("a/1");
      assertFacts(head.sizeBytes, head.lastModifiedMs);
      return head;
    },
  },
  {
    name: "s3-get",
    holds: "not more than was asked for",
    answers: [
      http("200 OK", { ...DATE, etag: '"e"' }, "body of it"),
      inputOf("HTTP/1.1 200 OK\r\netag: e\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    ],
    async use(storage) {
      const got = await storage.get("a/1", { maxBytes: 64 });
      assert(got.body.length <= 64);
      return Buffer.from(got.body);
    },
  },
  {
    name: "s3-read",
    holds: "not more than was asked for, whole and as a range",
    answers: [
      http("206 Partial Content", { ...DATE, etag: '"e"', "content-range": "bytes 2-5/10" }, "dy o"),
      http("200 OK", { ...DATE, etag: '"e"' }, "body of it"),
      http(
        "416 Range Not Satisfiable",
        { ...XML, "content-range": "bytes */10" },
        errorDocument("InvalidRange", "no"),
      ),
    ],
    async use(storage) {
      const ways = [{ offset: 2, length: 4 }, {}].map(async (range) => {
        let sizeBytes = 0;
        for await (const piece of storage.read("a/1", range)) sizeBytes += piece.length;
        assert(range.length === undefined || sizeBytes <= range.length, `${sizeBytes} bytes`);
        return sizeBytes;
      });
      const [part, whole] = await Promise.allSettled(ways);
      const told = [part, whole].map((one) => (one?.status === "rejected" ? thrown(one.reason) : one?.value));
      if (part?.status === "rejected" && whole?.status === "rejected") throw part.reason;
      return told;
    },
  },
  {
    name: "s3-put",
    holds: "an etag",
    answers: [
      http("200 OK", { ...DATE, etag: '"e"' }),
      http("409 Conflict", XML, errorDocument("ConditionalRequestConflict", "busy")),
    ],
    async use(storage) {
      const { etag } = await storage.put("a/1", Buffer.from("body"), { condition: { kind: "absent" } });
      assert.equal(typeof etag, "string");
      return etag;
    },
  },
  {
    name: "s3-delete",
    holds: "an error for every key that is said to be left",
    answers: [
      http("200 OK", XML, document("DeleteResult", "")),
      http(
        "200 OK",
        XML,
        document(
          "DeleteResult",
          `<Error>${element("Key", "root/a/1")}${element("Code", "AccessDenied")}</Error>`,
        ),
      ),
    ],
    use: (storage) => storage.delete(["a/1", "a/2"]).then(() => "deleted"),
  },
  {
    name: "s3-upload-begin",
    holds: "an upload that can go on",
    answers: [BEGUN],
    asked: (_method, path) => isBegin(path),
    inputs: 40,
    use: upload,
  },
  {
    name: "s3-upload-complete",
    holds: "an etag, at the end of an upload in parts",
    answers: [COMPLETED, http("200 OK", XML, errorDocument("InternalError", "later"))],
    asked: (method, path) => method === "POST" && path.includes("uploadId="),
    inputs: 15,
    use: upload,
  },
];

/** Larger than the least part. */
const PART = Buffer.alloc(5 * 1024 * 1024 + 1);

async function upload(storage: Storage): Promise<string> {
  const sent = storage.upload("a/1", { headSizeBytes: 4, expectedSizeBytes: 6e6 });
  try {
    await sent.write(PART);
    return (await sent.complete(Buffer.alloc(4))).etag;
  } finally {
    await sent.abort().catch(thrown);
  }
}

/** What is not thrown on must be typed all the same. */
function thrown(error: unknown): string {
  if (isWalrustError(error)) return error.code;
  throw error;
}

function assertFacts(sizeBytes: number, lastModifiedMs: number): void {
  assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, `${sizeBytes} bytes`);
  assert.match(new Date(lastModifiedMs).toISOString(), /^\d{4}-/);
}

const endpoint: Target = {
  name: "s3-endpoint",
  holds: "an origin that URLs can be made of",
  input: "text",
  words: ["http://", "https://", "localhost", "[::1]", ":9000", "amazonaws.com", "garage", "@"],
  seeds: () =>
    ["https://s3.eu-west-1.amazonaws.com", "http://127.0.0.1:9000", "minio.local:9000", "[::1]:3900"].map(
      inputOf,
    ),
  codes: ["CONFIG_INVALID"],
  inputs: 2000,
  run(input) {
    const resolved = resolveEndpoint(
      { kind: "s3", bucket: "my.bucket", prefix: "" },
      { endpoint: textOf(input), region: "us-east-1" },
    );
    assert.equal(new URL(resolved.origin).origin, resolved.origin);
    assert.equal(new URL(resolved.serviceUrl).host, new URL(resolved.serviceUrl).host);
    return { ...resolved, provider: resolved.provider.name };
  },
};

export const S3_TARGETS: readonly Target[] = [...CASES.map(target), endpoint];
