import { type ErrorCode, WalrustError } from "../errors.ts";
import { parse } from "../json.ts";
import type { DaemonDocument } from "../observability/status-document.ts";

/*
 * How other commands of walrust on this machine speak to a running daemon: one JSON document a line, one request and one answer a connection.
 * TXIDs are JSON integers of up to 64 bits (json.ts).
 */

/** Of what is said here. Raised when one side would misunderstand the other. */
export const PROTOCOL_VERSION = 1;

export type ControlRequest =
  | {
      readonly command: "snapshot";
      /** Absolute path of the database, symbolic links resolved. */
      readonly database: string;
    }
  | { readonly command: "status" };

export type ControlCommand = ControlRequest["command"];

export type RequestOf<C extends ControlCommand> = Extract<ControlRequest, { command: C }>;

export interface ControlReplies {
  /** What a snapshot by the daemon came to. A TXID below 2^53 arrives as a number. */
  readonly snapshot: { readonly key: string; readonly txid: bigint | number; readonly sizeBytes: number };
  readonly status: DaemonDocument;
}

export type ControlHandlers = {
  readonly [C in ControlCommand]: (request: RequestOf<C>) => ControlReplies[C] | Promise<ControlReplies[C]>;
};

export type ReplyLine =
  | { readonly reply: unknown }
  | { readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint?: string } };

export const MAX_REQUEST_BYTES = 64 * 1024;
/** The status of 100,000 databases fits. */
export const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/** Errors: USAGE when this daemon cannot know what is asked. */
export function parseRequest(line: string): ControlRequest {
  const { version, command, database } = parseObject(line);
  if (version !== PROTOCOL_VERSION) throw unknown(`it speaks version ${PROTOCOL_VERSION}`);
  if (command === "status") return { command };
  if (command === "snapshot" && typeof database === "string") return { command, database };
  throw unknown("it does not know this request");
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  try {
    return { ...(parse(line) as object) };
  } catch (error) {
    throw new WalrustError("USAGE", "the running walrust got no request", { cause: error });
  }
}

function unknown(why: string): WalrustError {
  return new WalrustError("USAGE", `the running walrust is of another version: ${why}`, {
    hint: "Start it again with the version that is installed now.",
  });
}
