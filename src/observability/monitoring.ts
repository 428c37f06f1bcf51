import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import type { Settings } from "../config/settings.ts";
import type { EventSink } from "../events.ts";
import type { DatabaseStatus } from "./database-status.ts";
import { EventCounts } from "./event-counts.ts";
import type { Log } from "./log.ts";
import type { RequestCounts } from "./request-counts.ts";
import type { Webhooks } from "./webhooks.ts";

export interface MonitoringOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Of walrust. */
  readonly version: string;
  /** Address of the storage, without secrets. */
  readonly storage: string;
  /** Undefined: nobody counts them. */
  readonly requests: RequestCounts | undefined;
  /** Who else hears the events. */
  readonly events: EventSink;
}

type Statuses = () => readonly DatabaseStatus[];

/** Whoever is told how the daemon is: metrics, the status page, webhooks. Each is loaded only if the settings want it. */
export interface Monitoring {
  readonly events: EventSink;
  /** From now on the status of every database can be asked for. */
  readonly onStarted: (statuses: Statuses) => void;
  /** Other settings hold from now on; only the webhooks can change while it runs. */
  readonly reload: (settings: Pick<Settings, "webhooks">) => void;
  /** After the last event. */
  readonly close: () => Promise<void>;
}

/** Errors: CONFIG_INVALID when the port that was asked for is taken. */
export async function startMonitoring(
  settings: Pick<Settings, "metrics" | "webhooks" | "daemon">,
  options: MonitoringOptions,
): Promise<Monitoring> {
  const sinks: EventSink[] = [options.events];
  const closing: (() => Promise<void>)[] = [];
  let onStarted: Monitoring["onStarted"] = () => {};
  if (settings.metrics !== undefined && options.requests !== undefined && !settings.daemon.once) {
    const served = await serveMetrics(settings.metrics, options, options.requests);
    if (served !== undefined) {
      sinks.push(served.events);
      closing.push(served.close);
      onStarted = served.onStarted;
    }
  }
  const webhooks = new ChangingWebhooks(options);
  await webhooks.change(settings.webhooks);
  sinks.push(webhooks.hear);
  closing.push(() => webhooks.close());
  return {
    events: (event) => {
      for (const hear of sinks) hear(event);
    },
    onStarted,
    reload: (next) => void webhooks.change(next.webhooks),
    close: async () => {
      await Promise.all(closing.map((close) => close()));
    },
  };
}

/** Webhooks may come and go while the daemon runs. Those that go still tell what they have heard. */
class ChangingWebhooks {
  readonly #options: MonitoringOptions;
  #settings: Settings["webhooks"] = [];
  #current: Webhooks | undefined;
  /** Of those that went. */
  #closed: Promise<void> = Promise.resolve();

  constructor(options: MonitoringOptions) {
    this.#options = options;
  }

  readonly hear: EventSink = (event) => this.#current?.hear(event);

  async change(settings: Settings["webhooks"]): Promise<void> {
    if (isDeepStrictEqual(settings, this.#settings)) return;
    this.#settings = settings;
    const { Webhooks } = await import("./webhooks.ts");
    if (settings !== this.#settings) return; // changed again meanwhile
    const before = this.#current;
    this.#current = settings.length === 0 ? undefined : new Webhooks(settings, this.#options);
    this.#closed = Promise.all([this.#closed, before?.close()]).then(() => {});
  }

  async close(): Promise<void> {
    await Promise.all([this.#closed, this.#current?.close()]);
  }
}

async function serveMetrics(
  settings: NonNullable<Settings["metrics"]>,
  { clock, log, version, storage }: MonitoringOptions,
  requests: RequestCounts,
): Promise<Omit<Monitoring, "reload"> | undefined> {
  const { MetricsServer } = await import("./metrics-server.ts");
  const events = new EventCounts(clock);
  let started: Statuses | undefined;
  const statuses = () => started?.();
  const source = { clock, version, startedAtMs: clock.now(), events, requests, statuses };
  let loading: ReturnType<typeof load> | undefined;
  const load = async () => {
    const { DaemonPages } = await import("./metrics-pages.ts");
    return new DaemonPages({ source, storage, host: settings.host, log });
  };
  const pages = () => {
    loading ??= load();
    return loading;
  };
  const server = await MetricsServer.listen(settings, { clock, log, pages });
  if (server === undefined) return undefined;
  return {
    events: events.hear,
    onStarted: (next) => {
      started = next;
    },
    close: () => server.close(),
  };
}
