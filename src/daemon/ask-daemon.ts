import { createConnection } from "node:net";
import { isErrorCode, WalrustError } from "../errors.ts";
import { parse, stringify } from "../json.ts";
import {
  type ControlCommand,
  type ControlReplies,
  MAX_REPLY_BYTES,
  PROTOCOL_VERSION,
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
    const { reply, error } = parse(await readLine(socket, MAX_REPLY_BYTES)) as Partial<Told>;
    if (typeof reply === "object" && reply !== null) return reply as ControlReplies[C];
    throw toldError(error);
  } catch (error) {
    if (error instanceof WalrustError) throw error;
    throw isRefused(error) ? notRunning(path, error) : noAnswer(error);
  } finally {
    socket.destroy();
  }
}

/** A line of the other side, before it is looked at. */
interface Told {
  readonly reply: unknown;
  readonly error: Readonly<Record<string, unknown>> | null;
}

/** The error that the daemon tells. Throws TypeError for what is none. */
function toldError(error: Told["error"] | undefined): WalrustError {
  const { code, message, hint } = error ?? {};
  if (typeof message !== "string" || message === "") throw new TypeError("neither a reply nor an error");
  return new WalrustError(
    isErrorCode(code) ? code : "INTERNAL",
    message,
    typeof hint === "string" ? { hint } : {},
  );
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
