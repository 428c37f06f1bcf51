import type { HttpPoolOptions, HttpRequest } from "../../src/storage/http-pool.ts";
import { TIMEOUTS } from "./network-faults.ts";

type Module = typeof import("../../src/storage/http-pool.ts");

/** In the place of http-pool.ts: its timeouts are those of tests, whatever is asked for. */
export function withShortTimeouts({ HttpPool }: Module): Module {
  const shortened = (request: HttpRequest): HttpRequest => {
    // The pool adds the time that the body may take on a slow line.
    const bodyMs = Math.ceil((request.body?.length ?? 0) / 32);
    return { ...request, answerTimeoutMs: TIMEOUTS.answerTimeoutMs - bodyMs };
  };
  return {
    HttpPool: class extends HttpPool {
      constructor(origin: string, options: HttpPoolOptions) {
        super(origin, { ...options, ...TIMEOUTS });
      }
      override request(request: HttpRequest) {
        return super.request(shortened(request));
      }
    },
  };
}
