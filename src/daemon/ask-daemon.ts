import { createConnection } from "node:net";
import { ERROR_KINDS, WalrustError } from "../errors.ts";
import { parse, stringify } from "../json.ts";
import {
  type ControlCommand,
  type ControlReplies,
  MAX_REPLY_BYTES,
  PROTOCOL_VERSION,
  type ReplyLine,
  type RequestOf,
} from "./control-protocol.ts";
import { readLine } from "./read-line.ts";

export interface AskOptions {
  readonly signal?: AbortSignal;
}

/** Errors: NOT_RUNNING when nobody listens there; LOCAL_IO when it does not answer; what the daemon answers. */
export async function askDaemon<C extends ControlCommand>(
  path: string,
  request: RequestOf<C>,
  options: AskOptions = {},
): Promise<ControlReplies[C]> {
  const socket = createConnection({ path, ...(options.signal && { signal: options.signal }) });
  try {
    socket.write(`${stringify({ version: PROTOCOL_VERSION, ...request })}\n`);
    const line = parse(await readLine(socket, MAX_REPLY_BYTES)) as ReplyLine;
    if ("reply" in line) return line.reply as ControlReplies[C];
    const { code, message, hint } = line.error;
    throw new WalrustError(
      code in ERROR_KINDS ? code : "INTERNAL",
      message,
      hint === undefined ? {} : { hint },
    );
  } catch (error) {
    if (error instanceof WalrustError) throw error;
    throw isRefused(error) ? notRunning(path, error) : noAnswer(error);
  } finally {
    socket.destroy();
  }
}

/** Whether somebody listens there. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("connect", () => end(true));
    socket.once("error", (error) => end(!isRefused(error)));
  });
}

function isRefused(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ECONNREFUSED" || code === "ENOENT";
}

function notRunning(path: string, cause: unknown): WalrustError {
  return new WalrustError("NOT_RUNNING", `nobody listens at ${path}`, {
    cause,
    hint: "Did it just stop? Try again.",
  });
}

function noAnswer(cause: unknown): WalrustError {
  return new WalrustError("LOCAL_IO", "the running walrust does not answer", {
    cause,
    hint: "Is it just stopping? Try again.",
  });
}
