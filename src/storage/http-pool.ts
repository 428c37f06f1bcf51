import { setMaxListeners } from "node:events";
import type { LookupFunction } from "node:net";
import type { Dispatcher } from "undici";
import Pool from "undici/lib/dispatcher/pool.js";
import { aborted } from "./abort.ts";
import type { StorageDependencies } from "./dependencies.ts";
import { HttpBody, type LeastSpeed } from "./http-body.ts";
import { httpError } from "./http-error.ts";

/** Three SYNs (at 0, 1 and 3 s) fit: after a network that swallowed everything comes back, one is on its way within 2 s. */
const CONNECT_TIMEOUT_MS = 4_000;
/**
 * To the first byte of an answer, beyond the time that the body may take to send. Short, since a connection that died without
 * a word is found by nothing else; what then had its effect is recognised (s3-put.ts).
 */
const ANSWER_TIMEOUT_MS = 15_000;
/** The slowest line that a body is given time for. */
const SLOWEST_BYTES_PER_MS = 32;
/** Between two pieces of an answer. */
const BODY_IDLE_TIMEOUT_MS = 30_000;
/** Of one answer among several on a slow line, while somebody waits for it: less is no answer, even if it never stops. */
const SLOWEST_ANSWER_BYTES_PER_MS = 1;
/** Below the 20 s after which the strictest known providers close an idle connection. */
const KEEP_ALIVE_MS = 15_000;

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** With the query, escaped. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** For what is known to take long. */
  readonly answerTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Must be read to its end, collected, or abandoned: until then it holds a connection. */
  readonly body: HttpBody;
}

export interface HttpPoolOptions {
  readonly connections: number;
  /** Certificates in PEM that replace the built-in ones. */
  readonly ca?: string | undefined;
  /** How host names become addresses; the system's way unless given. */
  readonly lookup?: LookupFunction | undefined;
  readonly answerTimeoutMs?: number;
  readonly bodyIdleTimeoutMs?: number;
  /** See StorageDependencies. */
  readonly compileForSize?: StorageDependencies["compileForSize"];
  /** Sees every request and what becomes of it; what it returns is the answer. */
  readonly observe?:
    | ((request: HttpRequest, answer: Promise<HttpResponse>) => Promise<HttpResponse>)
    | undefined;
}

/** One origin's keep-alive connections. Imported deep from undici: its main module costs 15 MB more. */
export class HttpPool {
  readonly #pool: Dispatcher;
  readonly #origin: string;
  readonly #answerTimeoutMs: number;
  readonly #leastSpeed: LeastSpeed;
  readonly #observe: HttpPoolOptions["observe"];
  /** As long as somebody holds it, V8 takes it for undici's too, which has the same bytes: optimizing the parser takes V8 30 MB. */
  protected readonly parser: WebAssembly.Module | undefined;

  constructor(origin: string, options: HttpPoolOptions) {
    const { connections, ca, lookup } = options;
    this.#origin = origin;
    this.#observe = options.observe;
    this.parser = options.compileForSize?.(parserCode());
    this.#answerTimeoutMs = options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS;
    const bodyIdleTimeoutMs = options.bodyIdleTimeoutMs ?? BODY_IDLE_TIMEOUT_MS;
    this.#leastSpeed = { graceMs: bodyIdleTimeoutMs, slowestBytesPerMs: SLOWEST_ANSWER_BYTES_PER_MS };
    this.#pool = new Pool(origin, {
      connections,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      bodyTimeout: bodyIdleTimeoutMs,
      connect: {
        timeout: CONNECT_TIMEOUT_MS,
        ...(ca === undefined ? {} : { ca }),
        ...(lookup === undefined ? {} : { lookup }),
      },
    });
  }

  /** Resolves with the head of the answer, whatever its status. Errors: STORAGE_NETWORK, STORAGE_TIMEOUT, ABORTED. */
  request(request: HttpRequest): Promise<HttpResponse> {
    const answer = this.#send(request);
    return this.#observe?.(request, answer) ?? answer;
  }

  #send(request: HttpRequest): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(request, this.#origin, this.#leastSpeed, resolve, reject);
      if (exchange.isOver) return;
      const { method, path, headers, body, answerTimeoutMs = this.#answerTimeoutMs } = request;
      this.#pool.dispatch(
        {
          method,
          path,
          headers: headers as Record<string, string>,
          body: body ?? null,
          // Without it undici closes the connection after every HEAD.
          reset: false,
          headersTimeout: answerTimeoutMs + Math.ceil((body?.length ?? 0) / SLOWEST_BYTES_PER_MS),
        },
        exchange,
      );
    });
  }

  /** Breaks off whatever is under way. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** Of undici's HTTP parser. An import would make a getter for each of its 55,000 bytes: the module is a Buffer. */
function parserCode(): Uint8Array<ArrayBuffer> {
  return require("undici/lib/llhttp/llhttp_simd-wasm.js");
}

/** One request and its answer, as undici tells it. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: HttpRequest;
  readonly #origin: string;
  readonly #leastSpeed: LeastSpeed;
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onAbort = () => this.#abort();
  #controller: Dispatcher.DispatchController | undefined;
  #body: HttpBody | undefined;
  isOver = false;

  constructor(
    request: HttpRequest,
    origin: string,
    leastSpeed: LeastSpeed,
    resolve: (response: HttpResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.#request = request;
    this.#origin = origin;
    this.#leastSpeed = leastSpeed;
    this.#resolve = resolve;
    this.#reject = reject;
    if (request.signal?.aborted) this.#abort();
    else if (request.signal) {
      // One signal may end many requests at once: more listeners than Node takes for a leak.
      setMaxListeners(0, request.signal);
      request.signal.addEventListener("abort", this.#onAbort, { once: true });
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Given up while it waited for a connection.
    if (this.isOver) controller.abort(new Error("aborted"));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: HttpResponse["headers"],
  ): void {
    if (status < 200) return;
    this.#body = new HttpBody(controller, this.#leastSpeed, (error) => this.#typed(error));
    this.#resolve({ status, headers, body: this.#body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body?.push(chunk);
  }

  onResponseEnd(): void {
    this.#end();
    this.#body?.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  #abort(): void {
    this.#fail(new Error("aborted"));
    this.#controller?.abort(new Error("aborted"));
  }

  #fail(error: Error): void {
    if (this.isOver) return;
    this.#end();
    if (this.#body === undefined) this.#reject(this.#typed(error));
    else this.#body.fail(error);
  }

  #typed(error: unknown): Error {
    const { signal, method, path } = this.#request;
    return signal?.aborted
      ? aborted(signal)
      : httpError(error, `${method} ${this.#origin}${path.replace(/\?.*/, "")}`);
  }

  #end(): void {
    this.isOver = true;
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
  }
}
