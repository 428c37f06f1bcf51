import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { stringify } from "../json.ts";
import { isReady } from "./database-status.ts";
import { EXPOSITION_TYPE } from "./exposition.ts";
import type { Log } from "./log.ts";
import { isLoopback } from "./loopback.ts";
import { type MetricsSource, metricsText } from "./metrics.ts";
import { daemonDocument } from "./status-document.ts";
import { STATUS_PAGE, STATUS_PAGE_POLICY } from "./status-page.ts";

export interface PagesOptions {
  readonly source: MetricsSource;
  /** Address of the storage, without secrets. */
  readonly storage: string;
  /** Where the server listens. */
  readonly host: string;
  readonly log: Log;
}

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string | Iterable<string>;
  readonly policy?: string;
}

const TEXT = "text/plain; charset=utf-8";
const MAX_HEADER_BYTES = 8 * 1024;
/** Names in an answer of /readyz. */
const MAX_NAMED = 50;

const SHARED_HEADERS = {
  connection: "close",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};

/** What the daemon answers over HTTP. Connections come from the metrics server, one request each. */
export class DaemonPages {
  readonly #options: PagesOptions;
  readonly #http: Server;

  constructor(options: PagesOptions) {
    this.#options = options;
    this.#http = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) =>
      this.#answer(request, response),
    );
  }

  serve(socket: Socket): void {
    this.#http.emit("connection", socket);
    socket.resume();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { log } = this.#options;
    try {
      const { status, type, body, policy = "default-src 'none'" } = this.#page(request);
      response.writeHead(status, {
        ...SHARED_HEADERS,
        "content-type": type,
        "content-security-policy": policy,
        ...(status === 405 && { allow: "GET, HEAD" }),
      });
      if (request.method === "HEAD") response.end();
      else if (typeof body === "string") response.end(body);
      else
        Readable.from(body)
          .on("error", (error) => response.destroy(error))
          .pipe(response);
    } catch (error) {
      log.error({}, `metrics: ${error instanceof Error ? error.message : error}`);
      response.destroy();
    }
  }

  #page({ method, headers, url = "/" }: IncomingMessage): Page {
    const { source, host, storage } = this.#options;
    if (!mayAsk(headers.host, host)) return text(403, "this name is not one of this machine\n");
    if (method !== "GET" && method !== "HEAD") return text(405, "only GET and HEAD\n");
    switch (url.replace(/[?#].*/s, "")) {
      case "/":
        return {
          status: 200,
          type: "text/html; charset=utf-8",
          body: STATUS_PAGE,
          policy: STATUS_PAGE_POLICY,
        };
      case "/metrics":
        return { status: 200, type: EXPOSITION_TYPE, body: metricsText(source) };
      case "/status.json": {
        const { version, startedAtMs } = source;
        const databases = source.statuses() ?? [];
        const document = daemonDocument({ pid: process.pid, version, startedAtMs, storage, databases });
        return { status: 200, type: "application/json", body: `${stringify(document)}\n` };
      }
      case "/healthz":
        return text(200, "ok\n");
      case "/readyz":
        return readiness(source);
      default:
        return text(404, "there are /, /metrics, /status.json, /healthz and /readyz\n");
    }
  }
}

/** Whether every database is published within its interval; says which are not. */
function readiness({ statuses }: MetricsSource): Page {
  const all = statuses();
  if (all === undefined) return text(503, "not ready: starting\n");
  const late = all.filter((status) => !isReady(status));
  if (late.length === 0) return text(200, "ok\n");
  const named = late.slice(0, MAX_NAMED).map(({ name, state, lagMs, lastError }) => {
    const why = lastError === undefined ? "" : `, ${lastError.code}`;
    return `${name}: ${state}, ${(lagMs / 1000).toFixed(1)} s behind${why}\n`;
  });
  const more = late.length > MAX_NAMED ? `and ${late.length - MAX_NAMED} more\n` : "";
  return text(503, `not ready: ${late.length} of ${all.length} databases\n${named.join("")}${more}`);
}

function text(status: number, body: string): Page {
  return { status, type: TEXT, body };
}

/**
 * A page of the web may let its own name point to 127.0.0.1 and then read what is served there as if it were its own (DNS rebinding):
 * on loopback only names of this machine are answered.
 */
function mayAsk(hostHeader: string | undefined, listening: string): boolean {
  if (!isLoopback(listening)) return true;
  const name = hostHeader?.replace(/:\d+$/, "").toLowerCase() ?? "";
  return isLoopback(name) || name === listening.toLowerCase();
}
