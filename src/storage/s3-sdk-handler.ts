import type { HttpPool, HttpRequest, HttpResponse } from "./http-pool.ts";
import { assertDocument, assertNoPage } from "./s3-answer.ts";
import { queryString, type S3Endpoint } from "./s3-endpoint.ts";

/** The result of deleting 1,000 long keys has less. */
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

/** The joining of many parts takes its time. */
const ANSWER_TIMEOUT_MS = 120_000;

/** The parts of the SDK's request that the rare requests use. */
interface SdkRequest {
  readonly method: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/** Sends the SDK's requests over the same pool as all others: same connections, timeouts and errors. */
export class SdkHandler {
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly #pool: HttpPool;
  readonly #host: string;

  constructor(pool: HttpPool, endpoint: S3Endpoint) {
    this.#pool = pool;
    this.#host = endpoint.host;
  }

  async handle(
    request: SdkRequest,
    options: { readonly abortSignal?: unknown } = {},
  ): Promise<{ readonly response: SdkResponse }> {
    const host = request.port === undefined ? request.hostname : `${request.hostname}:${request.port}`;
    if (host !== this.#host) throw new Error(`the SDK asks ${host}, the pool is connected to ${this.#host}`);
    const body = bytesOf(request.body);
    const response = await this.#pool.request({
      method: request.method as HttpRequest["method"],
      path: request.path + queryString(flatten(request.query ?? {})),
      headers: request.headers,
      answerTimeoutMs: ANSWER_TIMEOUT_MS,
      signal: options.abortSignal instanceof AbortSignal ? options.abortSignal : undefined,
      ...(body === undefined ? {} : { body }),
    });
    const { status, headers } = response;
    const document = await response.body.collect(MAX_DOCUMENT_BYTES);
    if (status < 300) assertAnswers(request, response, document);
    return { response: { statusCode: status, headers: joined(headers), body: document } };
  }

  updateHttpClientConfig(): void {
    // Nothing to set: the pool is configured by its owner.
  }

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }
}

/** The SDK takes any XML for the answer to anything, and an empty body for one without entries. Errors: STORAGE_NETWORK. */
function assertAnswers(request: SdkRequest, response: HttpResponse, document: Uint8Array): void {
  const what = `${request.method} ${request.hostname}${request.path}`;
  assertNoPage(response, what);
  const root = rootOfAnswer(request);
  if (root !== undefined) assertDocument(document, root, what);
}

/** Undefined: it has no body. */
function rootOfAnswer({ method, query = {} }: SdkRequest): string | undefined {
  if (method !== "POST") return undefined;
  if ("delete" in query) return "DeleteResult";
  return "uploads" in query ? "InitiateMultipartUploadResult" : "CompleteMultipartUploadResult";
}

function bytesOf(body: unknown): Uint8Array | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === "string") return Buffer.from(body);
  if (body instanceof Uint8Array) return body;
  throw new Error("rare requests carry documents, not streams");
}

function flatten(query: NonNullable<SdkRequest["query"]>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => {
      if (typeof value === "object" && value !== null) throw new Error(`the query repeats ${name}`);
      return [name, value ?? ""];
    }),
  );
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return flat;
}
