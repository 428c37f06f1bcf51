import type { Clock } from "../clock.ts";
import { isWalrustError } from "../errors.ts";
import type { StorageRequest } from "./dependencies.ts";
import type { HttpPoolOptions, HttpRequest } from "./http-pool.ts";

type Tell = (request: StorageRequest) => void;

/** Tells of every request that goes over a pool to S3, each try on its own, when the head of its answer came. */
export function s3RequestObserver(clock: Clock, tell: Tell): NonNullable<HttpPoolOptions["observe"]> {
  return async (request, answer) => {
    const sinceMs = clock.monotonicMs();
    const done = (outcome: StorageRequest["outcome"]) =>
      tell({ operation: operationOf(request), outcome, durationMs: clock.monotonicMs() - sinceMs });
    try {
      const response = await answer;
      done(outcomeOfStatus(response.status));
      return response;
    } catch (error) {
      done(isWalrustError(error, "ABORTED") ? "aborted" : "unreachable");
      throw error;
    }
  };
}

function operationOf({ method, path }: HttpRequest): StorageRequest["operation"] {
  switch (method) {
    case "GET":
      return /[?&]list-type=/.test(path) ? "list" : "get";
    case "HEAD":
      return "head";
    case "PUT":
      return "put";
    case "POST":
      return "post";
    case "DELETE":
      return "delete";
    default:
      return method satisfies never;
  }
}

function outcomeOfStatus(status: number): StorageRequest["outcome"] {
  if (status < 400) return "ok";
  if (status === 404) return "not_found";
  if (status === 409 || status === 412) return "conflict";
  if (status === 429 || status === 503) return "throttled";
  return status < 500 ? "refused" : "failed";
}
