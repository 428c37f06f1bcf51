import { isWalrustError, type WalrustError } from "../errors.ts";
import type { HttpPool, HttpRequest, HttpResponse } from "./http-pool.ts";
import { assertDocument, assertNoBody, assertNoPage } from "./s3-answer.ts";
import { keyPath, queryString, type S3Endpoint } from "./s3-endpoint.ts";
import { retryAfterMs, s3CodeIn, s3Error } from "./s3-error.ts";
import type { S3Signer } from "./s3-signer.ts";

const MAX_SMALL_BODY_BYTES = 64 * 1024;
/** What an error means that came with 200, when its code says nothing. */
const SERVER_ERROR = 500;

export interface S3Request {
  readonly method: HttpRequest["method"];
  /** In the bucket, with its prefix; empty for the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** For what is known to take long. */
  readonly answerTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The frequent requests: signed here and sent straight over the pool, without the SDK, at a quarter of its CPU time. One
 * attempt each.
 */
export class S3Requests {
  readonly #endpoint: S3Endpoint;
  readonly #bucketUrl: string;
  readonly #pool: HttpPool;
  readonly #signer: S3Signer;

  constructor(endpoint: S3Endpoint, bucket: string, pool: HttpPool, signer: S3Signer) {
    this.#endpoint = endpoint;
    this.#bucketUrl = `s3://${bucket}`;
    this.#pool = pool;
    this.#signer = signer;
  }

  /** Resolves with an answer of status 2xx, its body unread. Errors: STORAGE_*, ABORTED. */
  async send(request: S3Request): Promise<HttpResponse> {
    const response = await this.#sendInTime(request);
    try {
      assertNoPage(response, this.#what(request));
    } catch (error) {
      response.body.abandon();
      throw error;
    }
    return response;
  }

  /** An answer without a body, or of one whose body does not matter. */
  async sendAndDrain(request: S3Request): Promise<HttpResponse> {
    const response = await this.send(request);
    const body = await response.body.collect(MAX_SMALL_BODY_BYTES);
    if (request.method === "PUT") assertNoBody(body, this.#what(request));
    return response;
  }

  /** An answer that is a document with this root, and nothing else. */
  async sendForDocument(
    request: S3Request,
    root: string,
    maxBytes: number = MAX_SMALL_BODY_BYTES,
  ): Promise<Uint8Array> {
    const what = this.#what(request);
    const response = await this.send(request);
    const body = await response.body.collect(maxBytes);
    if (assertDocument(body, root, what) === root) return body;
    throw s3Error({ status: SERVER_ERROR, code: s3CodeIn(body), what });
  }

  /** Once more where this machine's clock is off. */
  async #sendInTime(request: S3Request): Promise<HttpResponse> {
    const response = await this.#sendOnce(request);
    if (response.status < 300) return response;
    const error = await this.#refusal(request, response);
    if (
      error.details["code"] !== "RequestTimeTooSkewed" ||
      !this.#signer.adoptTime(response.headers["date"])
    ) {
      throw error;
    }
    const again = await this.#sendOnce(request);
    if (again.status < 300) return again;
    throw await this.#refusal(request, again);
  }

  async #sendOnce(request: S3Request): Promise<HttpResponse> {
    const { method, key, query = {}, headers = {}, body, answerTimeoutMs, signal } = request;
    const { host, origin, basePath, provider } = this.#endpoint;
    const path = key === "" ? basePath || "/" : keyPath(this.#endpoint, key);
    const signed = await this.#signer.sign({
      method,
      protocol: origin.slice(0, origin.indexOf("//")),
      host,
      path,
      query,
      headers: { "user-agent": "walrust", ...provider.headers, ...headers },
      body,
    });
    return this.#pool.request({
      method,
      path: path + queryString(query),
      headers: signed,
      signal,
      ...(body === undefined ? {} : { body }),
      ...(answerTimeoutMs === undefined ? {} : { answerTimeoutMs }),
    });
  }

  #what({ method, key }: S3Request): string {
    return `${method} ${this.#bucketUrl}/${key}`;
  }

  async #refusal(request: S3Request, response: HttpResponse): Promise<WalrustError> {
    const { headers, status } = response;
    const region = headers["x-amz-bucket-region"];
    return s3Error({
      status,
      code: await codeOf(response),
      what: this.#what(request),
      bucketRegion: typeof region === "string" ? region : undefined,
      retryAfterMs: retryAfterMs(headers["retry-after"]),
    });
  }
}

/** An error document that is cut or too long says nothing more than the status. */
async function codeOf(response: HttpResponse): Promise<string | undefined> {
  try {
    return s3CodeIn(await response.body.collect(MAX_SMALL_BODY_BYTES));
  } catch (error) {
    if (isWalrustError(error, "ABORTED")) throw error;
    return undefined;
  }
}
