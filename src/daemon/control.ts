import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ERROR_KINDS, type ErrorCode, toWalrustError, WalrustError } from "../errors.ts";

/**
 * How other commands of walrust on this machine speak to a running daemon: one JSON document a line over a Unix socket that only its user can open.
 * The lock of every database names the socket.
 */
export interface ControlRequest {
  readonly command: "snapshot";
  /** Absolute path of the database. */
  readonly database: string;
}

/** What a snapshot of a running daemon came to. TXIDs as decimal digits: JSON numbers end at 2^53. */
export interface ControlReply {
  readonly key: string;
  readonly txid: string;
  readonly sizeBytes: number;
}

type Line =
  | { readonly reply: ControlReply }
  | { readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint?: string } };

const MAX_REQUEST_BYTES = 64 * 1024;

export class ControlServer {
  readonly path: string;
  readonly #folder: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(folder: string, handle: (request: ControlRequest) => Promise<ControlReply>) {
    this.#folder = folder;
    this.path = join(folder, "control.sock");
    this.#server = createServer((socket) => this.#serve(socket, handle));
  }

  /** Errors: LOCAL_IO. */
  static async listen(handle: (request: ControlRequest) => Promise<ControlReply>): Promise<ControlServer> {
    const folder = mkdtempSync(join(tmpdir(), "walrust-"));
    chmodSync(folder, 0o700);
    const server = new ControlServer(folder, handle);
    await new Promise<void>((resolve, reject) => {
      server.#server.once("error", (error) =>
        reject(new WalrustError("LOCAL_IO", `no socket at ${server.path}`, { cause: error })),
      );
      server.#server.listen(server.path, resolve);
    });
    return server;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #serve(socket: Socket, handle: (request: ControlRequest) => Promise<ControlReply>): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    readLine(socket, MAX_REQUEST_BYTES).then(
      async (line) => {
        const answer: Line = await handle(parseRequest(line)).then((reply) => ({ reply }), describe);
        socket.end(`${JSON.stringify(answer)}\n`);
      },
      () => socket.destroy(),
    );
  }
}

/** Errors: LOCAL_IO when nobody listens there; what the daemon answers. */
export async function askDaemon(
  path: string,
  request: ControlRequest,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ControlReply> {
  const socket = createConnection({ path, ...(options.signal && { signal: options.signal }) });
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    const line = JSON.parse(await readLine(socket, MAX_REQUEST_BYTES)) as Line;
    if ("reply" in line) return line.reply;
    const { code, message, hint } = line.error;
    throw new WalrustError(
      code in ERROR_KINDS ? code : "INTERNAL",
      message,
      hint === undefined ? {} : { hint },
    );
  } catch (error) {
    if (error instanceof WalrustError) throw error;
    throw new WalrustError("LOCAL_IO", "the running walrust does not answer", {
      cause: error,
      hint: "Is it just stopping? Try again.",
    });
  } finally {
    socket.destroy();
  }
}

function parseRequest(line: string): ControlRequest {
  const { command, database } = JSON.parse(line) as Partial<ControlRequest>;
  if (command !== "snapshot" || typeof database !== "string")
    throw new WalrustError("USAGE", "the daemon does not know this request");
  return { command, database };
}

function describe(thrown: unknown): Line {
  const { code, message, hint } = toWalrustError(thrown);
  return { error: { code, message, ...(hint !== undefined && { hint }) } };
}

/** The first line that comes; rejects when the other side ends before, or sends more than `maxBytes`. */
function readLine(socket: Socket, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (piece: string) => {
      text += piece;
      const end = text.indexOf("\n");
      if (end >= 0) resolve(text.slice(0, end));
      else if (text.length > maxBytes) reject(new Error("the line is too long"));
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed before a whole line came")));
  });
}
