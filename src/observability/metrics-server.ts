import { createServer, isIPv6, type Server, type Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { MetricsSettings } from "../config/settings.ts";
import { WalrustError } from "../errors.ts";
import type { Log } from "./log.ts";
import { isLoopback } from "./loopback.ts";
import type { DaemonPages } from "./metrics-pages.ts";

export interface MetricsServerOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Loaded when somebody asks for the first time. */
  readonly pages: () => Promise<DaemonPages>;
}

const MAX_CONNECTIONS = 64;
/** For one connection, whatever it does: it has one request. */
const CONNECTION_LIMIT_MS = 30_000;

/**
 * Listens for whoever wants to know how the daemon is. Node's HTTP, the exposition and the page cost 2 MB and more: they are loaded
 * with the first connection, so that a daemon that nobody asks holds a socket and no more.
 */
export class MetricsServer {
  readonly #server: Server;
  readonly #options: MetricsServerOptions;
  readonly #sockets = new Set<Socket>();

  private constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Undefined: the port is taken, which is said, and nobody had asked for that one. Errors: CONFIG_INVALID. */
  static async listen(
    settings: MetricsSettings,
    options: MetricsServerOptions,
  ): Promise<MetricsServer | undefined> {
    const { host, port, isPortGiven } = settings;
    const server = new MetricsServer(options);
    try {
      await new Promise<void>((resolve, reject) => {
        server.#server.once("error", reject);
        server.#server.listen({ host, port }, resolve);
      });
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? "no reason given";
      const what = `metrics cannot be served at ${host}:${port} (${why})`;
      if (isPortGiven) {
        const hint = "Choose another with --metrics-port, or none with --no-metrics.";
        throw new WalrustError("CONFIG_INVALID", what, { cause: error, hint });
      }
      options.log.warn({ host, port }, `${what}: none are; --metrics-port chooses another port`);
      return undefined;
    }
    server.#server.on("error", (error) => options.log.warn({}, `metrics: ${error.message}`));
    options.log.info({ host, port: server.port }, `metrics and status page: ${addressOf(host, server.port)}`);
    if (!isLoopback(host)) {
      options.log.warn(
        { host, port: server.port },
        `metrics: whoever can reach ${host} from the network may read the names, paths and errors of all databases, without a password`,
      );
    }
    return server;
  }

  /** The one that was chosen, if 0 was asked for. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const { clock, pages, log } = this.#options;
    this.#sockets.add(socket);
    const cancel = clock.schedule(CONNECTION_LIMIT_MS, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      cancel();
      this.#sockets.delete(socket);
    });
    pages().then(
      (daemon) => {
        if (!socket.destroyed) daemon.serve(socket);
      },
      (error: unknown) => {
        log.error({}, `metrics: ${error instanceof Error ? error.message : error}`);
        socket.destroy();
      },
    );
  }
}

function addressOf(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}/`;
}
