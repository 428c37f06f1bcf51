import type { WalrustError } from "../errors.ts";

/** An error as machines get it: in `--json` documents, event lines and the log. */
export interface ErrorFacts {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly exit_code: number;
  readonly retryable: boolean;
  readonly details: WalrustError["details"];
}

export function errorFacts(error: WalrustError): ErrorFacts {
  const { code, message, hint, exitCode, retryable, details } = error;
  return { code, message, hint: hint ?? null, exit_code: exitCode, retryable, details };
}
