import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toWalrustError, WalrustError } from "../errors.ts";
import { stringify } from "../json.ts";
import { isAnswered } from "./ask-daemon.ts";
import {
  type ControlHandlers,
  type ControlRequest,
  MAX_REQUEST_BYTES,
  parseRequest,
  type ReplyLine,
} from "./control-protocol.ts";
import { readLine } from "./read-line.ts";
import { openSocketFolder, socketFolders } from "./socket-folder.ts";

/** Daemons with one pid: those of containers that share a folder, or of one process. */
const MAX_SAME_PID = 16;

/** The folder keeps everybody else away already. */
const FOR_ITS_USER = 0o600;

/** Listens on a Unix socket that only its user can open. The lock of every database names it. */
export class ControlServer {
  readonly path: string;
  /** Others find it by themselves: it is in the folder of this user's daemons. */
  readonly isFindable: boolean;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  readonly #ownFolder: string | undefined;

  private constructor(listening: Listening, ownFolder: string | undefined, sockets: Set<Socket>) {
    this.path = listening.path;
    this.#server = listening.server;
    this.#ownFolder = ownFolder;
    this.isFindable = ownFolder === undefined;
    this.#sockets = sockets;
  }

  /** @param folders where to listen: in the first that can be used, or in one of its own. Errors: LOCAL_IO. */
  static async listen(handlers: ControlHandlers, folders = socketFolders()): Promise<ControlServer> {
    const folder = openSocketFolder(folders);
    const sockets = new Set<Socket>();
    const onConnection = (socket: Socket) => serve(socket, sockets, handlers);
    const ownFolder = folder === undefined ? mkdtempSync(join(tmpdir(), "walrust-")) : undefined;
    const listening = await listenIn(folder ?? ownFolder ?? "", onConnection);
    return new ControlServer(listening, ownFolder, sockets);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve)); // unlinks the socket
    if (this.#ownFolder !== undefined) rmSync(this.#ownFolder, { recursive: true, force: true });
  }
}

interface Listening {
  readonly path: string;
  readonly server: Server;
}

async function listenIn(folder: string, onConnection: (socket: Socket) => void): Promise<Listening> {
  for (let index = 0; ; index += 1) {
    const path = join(folder, `${process.pid}${index === 0 ? "" : `-${index}`}.sock`);
    try {
      return { path, server: await listenAt(path, onConnection) };
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (!isTaken || index === MAX_SAME_PID)
        throw new WalrustError("LOCAL_IO", `no socket at ${path}`, { cause: error });
      // left behind by a crash, under a pid that is used again
      if (!(await isAnswered(path))) {
        rmSync(path, { force: true });
        index -= 1;
      }
    }
  }
}

function listenAt(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(onConnection);
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, FOR_ITS_USER);
      resolve(server);
    });
  });
}

function serve(socket: Socket, sockets: Set<Socket>, handlers: ControlHandlers): void {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  socket.on("error", () => socket.destroy());
  readLine(socket, MAX_REQUEST_BYTES).then(
    async (line) => socket.end(`${stringify(await answer(line, handlers))}\n`),
    () => socket.destroy(),
  );
}

async function answer(line: string, handlers: ControlHandlers): Promise<ReplyLine> {
  try {
    return { reply: await handle(parseRequest(line), handlers) };
  } catch (thrown) {
    const { code, message, hint } = toWalrustError(thrown);
    return { error: { code, message, ...(hint !== undefined && { hint }) } };
  }
}

function handle(request: ControlRequest, handlers: ControlHandlers): unknown {
  switch (request.command) {
    case "snapshot":
      return handlers.snapshot(request);
    case "status":
      return handlers.status(request);
    default:
      return request satisfies never;
  }
}
