import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { Bucket, type StoredBody } from "./bucket.ts";
import { failsAfter, failsBefore, leaveUnread, send } from "./fault-effects.ts";
import { Faults } from "./faults.ts";
import { type Answer, type Context, operationOf, perform } from "./operations.ts";
import { PROFILES, type ProfileName } from "./profiles.ts";
import { S3Error } from "./s3-error.ts";
import { verifySignature } from "./signature.ts";
import { errorDocument } from "./xml.ts";

export interface S3ServerOptions {
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region?: string;
  readonly profile?: ProfileName;
  /** Wall clock: signatures are held against it, and objects get their times from it. */
  readonly clock?: { now(): number };
  /** Most keys in a page of a list. */
  readonly pageSize?: number;
  readonly minPartSizeBytes?: number;
  /** Speaks TLS with this key and certificate in PEM. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Sockets that said nothing for so long are closed. */
  readonly keepAliveMs?: number;
  /** Takes what other clients send and ours never does: lists with a delimiter, and waiting for leave to send a body. */
  readonly forOthers?: boolean;
  /** Told of each request when it was done, before its answer goes out. */
  readonly onDone?: (request: RequestRecord) => void;
}

export interface RequestRecord {
  readonly operation: string;
  readonly method: string;
  /** The key in the bucket, decoded. */
  readonly key: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  bodySizeBytes: number;
  /** When its head arrived: performance.now() of this process. */
  readonly atMs: number;
  /** Undefined while it is under way, and when it was never answered. */
  status: number | undefined;
}

export interface S3Server {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  readonly port: number;
  readonly requests: RequestRecord[];
  readonly faults: Faults;
  readonly connections: { readonly opened: number; readonly open: number };
  readonly objects: ReadonlyMap<string, StoredBody>;
  /** Multipart uploads that were neither completed nor aborted. */
  readonly openUploads: number;
  /** Closes the port and all connections, or opens the port again. */
  outage(on: boolean): Promise<void>;
  /** The bucket has these objects and no others. */
  reset(objects: ReadonlyMap<string, Uint8Array>): void;
  close(): Promise<void>;
}

/** A strict S3 server in memory, for one bucket, addressed by path or by a host name that begins with it. */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const server = new StrictServer(options);
  await server.listen(0);
  return server;
}

const NO_CONDITIONS = { ifNoneMatch: undefined, ifMatch: undefined };

class StrictServer implements S3Server {
  readonly requests: RequestRecord[] = [];
  readonly faults = new Faults();
  readonly connections = { opened: 0, open: 0 };
  readonly #options: S3ServerOptions;
  readonly #context: Context;
  readonly #sockets = new Set<Socket>();
  #server: Server;
  /** Under way. */
  #parts = 0;
  port = 0;

  constructor(options: S3ServerOptions) {
    this.#options = options;
    const profile = PROFILES[options.profile ?? "aws"];
    const clock = options.clock ?? Date;
    this.#context = {
      bucket: new Bucket(profile, options.minPartSizeBytes ?? 5 * 1024 * 1024),
      profile,
      pageSize: options.pageSize ?? 1000,
      delimiters: options.forOthers === true,
      now: () => clock.now(),
    };
    this.#server = this.#create();
  }

  get endpoint(): string {
    return `${this.#options.tls === undefined ? "http" : "https"}://127.0.0.1:${this.port}`;
  }

  get objects(): ReadonlyMap<string, StoredBody> {
    return this.#context.bucket.objects;
  }

  get openUploads(): number {
    return this.#context.bucket.uploads.size;
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async outage(on: boolean): Promise<void> {
    if (on) return this.close();
    this.#server = this.#create();
    await this.listen(this.port);
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  reset(objects: ReadonlyMap<string, Uint8Array>): void {
    const { bucket, now } = this.#context;
    bucket.objects.clear();
    for (const [key, body] of objects) bucket.put(key, Buffer.from(body), {}, NO_CONDITIONS, now());
  }

  #create(): Server {
    const { tls, keepAliveMs: keepAliveTimeout = 60_000 } = this.#options;
    const server =
      tls === undefined ? createServer({ keepAliveTimeout }) : createTlsServer({ ...tls, keepAliveTimeout });
    server.on("connection", (socket) => {
      this.connections.opened++;
      this.connections.open++;
      this.#sockets.add(socket);
      socket.on("close", () => {
        this.connections.open--;
        this.#sockets.delete(socket);
      });
    });
    // Ours must not wait for leave to send: several providers never give it.
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      if (this.#options.forOthers !== true) return void response.writeHead(417).end();
      response.writeContinue();
      void this.#handle(request, response);
    });
    server.on("request", (request, response) => void this.#handle(request, response));
    return server;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const atMs = performance.now();
    const { record, bucket, key, query, rawPath, rawQuery } = this.#recordOf(request, atMs);
    const unread = this.faults.take(record, "body");
    if (unread?.kind === "unread") return void (await leaveUnread(request, unread));
    const pieces: Buffer[] = [];
    const isPart = request.url?.includes("partNumber=") === true;
    if (isPart) this.#parts++;
    const tooManyParts = this.#parts > this.#context.profile.partsAtOnce;
    try {
      for await (const piece of request) pieces.push(piece as Buffer);
    } catch {
      return; // the client went away in the middle of its body
    } finally {
      if (isPart) this.#parts--;
    }
    const body = Buffer.concat(pieces);
    const { method } = record;
    record.bodySizeBytes = body.length;
    this.requests.push(record);
    response.setHeader("Date", new Date(this.#context.now()).toUTCString());
    const fault = this.faults.take(record);
    if (fault !== undefined && failsBefore(fault, request, response, record)) return;
    const answer = this.#answer(() => {
      if (isPart && tooManyParts) throw new S3Error(429, "TooManyRequests", "parts at once");
      this.#checkFraming(request);
      verifySignature(
        { method, rawPath, rawQuery, headers: request.headers, body },
        this.#identity(),
        this.#context.now(),
      );
      if (bucket !== this.#options.bucket) throw new S3Error(404, "NoSuchBucket");
      return perform(
        { operation: record.operation, key, query, headers: request.headers, body },
        this.#context,
      );
    });
    record.status = answer.status;
    this.#options.onDone?.(record);
    if (fault !== undefined && failsAfter(fault, request, response, answer, record)) return;
    send(response, answer, method);
  }

  #recordOf(request: IncomingMessage, atMs: number) {
    const [rawPath = "", rawQuery = ""] = splitOnce(request.url ?? "", "?");
    const path = decodeURIComponent(rawPath.slice(1));
    const [bucket, key] = this.#namesBucket(request) ? [this.#options.bucket, path] : splitOnce(path, "/");
    const query = new URLSearchParams(rawQuery.replaceAll("+", "%2B"));
    const method = request.method ?? "";
    const record: RequestRecord = {
      operation: operationOf(method, key, query),
      ...{ method, key, query: rawQuery, headers: request.headers },
      ...{ bodySizeBytes: 0, atMs, status: undefined },
    };
    return { record, bucket, key, query, rawPath, rawQuery };
  }

  #answer(work: () => Answer): Answer {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      const body = Buffer.from(errorDocument(error.code, error.message));
      return { status: error.status, headers: { "Content-Type": "application/xml", ...error.headers }, body };
    }
  }

  #identity() {
    const { accessKeyId, secretAccessKey, region = this.#context.profile.region } = this.#options;
    return { accessKeyId, secretAccessKey, region };
  }

  #namesBucket(request: IncomingMessage): boolean {
    return request.headers.host?.startsWith(`${this.#options.bucket}.`) === true;
  }

  #checkFraming(request: IncomingMessage): void {
    if (request.headers["transfer-encoding"] !== undefined) throw new S3Error(411, "MissingContentLength");
    const { requiredHeader, addressing } = this.#context.profile;
    const isInHost = this.#namesBucket(request);
    if (addressing !== "any" && isInHost !== (addressing === "host")) throw new S3Error(404, "NoSuchBucket");
    if (requiredHeader !== undefined && request.headers[requiredHeader[0]] !== requiredHeader[1]) {
      throw new S3Error(400, "InvalidRequest", `${requiredHeader[0]} is missing`);
    }
  }
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}
