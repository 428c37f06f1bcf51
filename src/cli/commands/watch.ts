import type { FlagValues } from "../../config/flags.ts";
import type { ConfigSources } from "../../config/resolve.ts";
import type { ConfigSource } from "../../daemon/config-follower.ts";
import { isWalrustError } from "../../errors.ts";
import { startApplication } from "../application.ts";
import { Option, WalrustCommand } from "../command.ts";
import { Engine } from "../engine.ts";
import { hangups } from "../hangups.ts";
import { openLog } from "../output.ts";
import type { WatchConfig } from "../watch-config.ts";
import { refuseIncomplete } from "../watch-outcome.ts";

export class WatchCommand extends WalrustCommand {
  static override paths = [["watch"]];
  static override usage = WalrustCommand.Usage({
    description: "Keep copies of any number of live databases, in one process",
    details:
      "DATABASES are paths or patterns; without any, those of the configuration are watched. Times are seconds, or\n" +
      "500ms, 5s, 2m, 1h, 7d. SIGTERM and SIGINT publish what is pending before the end; a second one ends at once.\n" +
      "A change of walrust.toml is taken up while it runs, also on SIGHUP; a file with mistakes changes nothing.",
    examples: [
      ["One database", "walrust watch app.db -b s3://copies"],
      ["All of a folder, also those that appear later", "walrust watch '/data/*.db' -b s3://copies"],
      ["To try it out: copies in a folder", "walrust watch app.db -b file:///backups"],
      [
        "Around an application: its exit code is ours",
        "walrust watch app.db -b s3://copies --exec 'node server.js'",
      ],
      ["Everything that is new, then the end", "walrust watch app.db -b s3://copies --once"],
    ],
  });

  databases = Option.Rest({ name: "DATABASES" });
  once = Option.Boolean("--once", false, { description: "publish what is new, then end" });
  takeOver = Option.Boolean("--take-over", false, {
    description: "write backups that another machine took over from this one",
  });
  exec = Option.String("--exec", { description: "COMMAND run it under the watch, and end with it" });
  walSyncInterval = Option.String("--wal-sync-interval", {
    description: "TIME least time between two publications (1)",
  });
  snapshotInterval = Option.String("--snapshot-interval", {
    description: "TIME between snapshots; 0 = never (3600)",
  });
  maxChanges = Option.String("--max-changes", {
    description: "N commits that call for a snapshot; 0 = off (0)",
  });
  maxInterval = Option.String("--max-interval", {
    description: "TIME after which changes are in a snapshot; 0 = off (0)",
  });
  onIdle = Option.String("--on-idle", {
    description: "TIME of quiet after changes that calls for a snapshot; 0 = off (0)",
  });
  onStartup = Option.String("--on-startup", {
    tolerateBoolean: true,
    description: "take a snapshot that is overdue at the start; --on-startup=false turns it off (true)",
  });
  compactAfterSnapshot = Option.Boolean("--compact-after-snapshot", {
    description: "delete and merge what the retention does not keep, after each snapshot",
  });
  compactInterval = Option.String("--compact-interval", {
    description: "TIME between compactions; 0 = off (0)",
  });
  validationInterval = Option.String("--validation-interval", {
    description: "TIME after which every byte of the copy is read and proved; 0 = off (0)",
  });
  retainHourly = Option.String("--retain-hourly", {
    description: "N hours of which a snapshot stays, when compacting (24)",
  });
  retainDaily = Option.String("--retain-daily", { description: "N days (7)" });
  retainWeekly = Option.String("--retain-weekly", { description: "N weeks (12)" });
  retainMonthly = Option.String("--retain-monthly", { description: "N months (12)" });
  checkpointInterval = Option.String("--checkpoint-interval", {
    description: "TIME between checkpoints (60)",
  });
  minCheckpointPages = Option.String("--min-checkpoint-pages", {
    description: "N pages of log worth a checkpoint (1000)",
  });
  walTruncateThreshold = Option.String("--wal-truncate-threshold", {
    description: "N pages of log; a longer one is truncated when its writer pauses; 0 = never (121359)",
  });
  uploaderConcurrency = Option.String("--uploader-concurrency", {
    description: "N uploads at once, over all databases (16)",
  });
  maxRetries = Option.String("--max-retries", { description: "N tries again of a failed request (5)" });
  baseDelayMs = Option.String("--base-delay-ms", { description: "MS before the first of them (100)" });
  maxDelayMs = Option.String("--max-delay-ms", { description: "MS at most before one (30000)" });
  noCircuitBreaker = Option.Boolean("--no-circuit-breaker", {
    description: "ask a failing storage again and again",
  });
  circuitBreakerThreshold = Option.String("--circuit-breaker-threshold", {
    description: "N failures in a row, after which it is left alone for a while (10)",
  });
  layout = Option.String("--layout", {
    description: "LAYOUT of copies: walrust, or litestream for what litestream restores (walrust)",
  });
  shadowDir = Option.String("--shadow-dir", {
    description: "FOLDER for local state (default: beside each database)",
  });
  shadowMaxSize = Option.String("--shadow-max-size", {
    description: "SIZE of local state at most, per database (5GiB)",
  });
  observe = Option.Boolean("--observe", {
    description: "only read: no lock, no checkpoint, nothing beside a database; needs --shadow-dir",
  });
  metricsPort = Option.String("--metrics-port", {
    description: "N port of metrics and the status page, on this machine alone (16767)",
  });
  noMetrics = Option.Boolean("--no-metrics", { description: "serve no metrics" });

  /** SIGHUP asks for the file to be read again. */
  #onAsked: ConfigSource["onAsked"] = () => () => {};

  override async execute(): Promise<number> {
    // under `--exec` it is the application's, like all signals; and what syncs once reads no file again
    if (this.exec === undefined && !this.once) this.#onAsked = hangups(this.context);
    const { signal } = this.context;
    const { readWatchConfig } = await import("../watch-config.ts");
    const config = await readWatchConfig(this.#sources());
    signal.throwIfAborted(); // nothing is open, and no application runs that would have to be told
    const { exec } = config.settings.daemon;
    return exec === undefined ? this.#watch(config, signal) : this.#watchAround(exec, config);
  }

  #sources(): ConfigSources {
    return this.sources({
      paths: this.databases,
      flags: this.#flags(),
      once: this.once,
      takeOver: this.takeOver,
      ...(this.exec === undefined ? {} : { exec: this.exec }),
    });
  }

  async #watch(config: WatchConfig, stop: AbortSignal): Promise<number> {
    const { settings } = config;
    const { configSource } = await import("../watch-config.ts");
    const { jsonReporter, logReporter } = await import("../../observability/reporter.ts");
    const { clock, stdout, version, setEngineFlag } = this.context;
    const log = await openLog(this.context, settings.log);
    const reporter = this.json ? jsonReporter(clock, (line) => stdout.write(line)) : logReporter(log);
    const events = new Engine(clock, setEngineFlag).hearing(reporter);
    const walrust = await this.openWith(settings, log);
    try {
      const source = configSource(config, { log, onAsked: this.#onAsked });
      refuseIncomplete(await walrust.watch(settings, { stop, events, version, config: source }));
      return 0;
    } finally {
      await walrust.close();
    }
  }

  /** The application ends, or we are told to end and tell it: either way it comes first, and its last commits are published after. */
  async #watchAround(command: string, config: WatchConfig): Promise<number> {
    const application = startApplication(command, this.context);
    const stop = new AbortController();
    const watched = this.#watch(config, stop.signal).catch(async (error: unknown) => {
      application.stop();
      await application.exited;
      throw error;
    });
    const [watch, exit] = await Promise.allSettled([watched, application.exited.finally(() => stop.abort())]);
    if (exit.status === "rejected") throw exit.reason;
    if (watch.status === "rejected") {
      // It may have ended sooner than all databases were opened.
      if (!isWalrustError(watch.reason, "ABORTED", "UNPUBLISHED")) throw watch.reason;
      const { settings } = config;
      const once = { ...config, settings: { ...settings, daemon: { ...settings.daemon, once: true } } };
      await this.#watch(once, new AbortController().signal);
    }
    return exit.value;
  }

  #flags(): FlagValues {
    return {
      s3: { concurrency: this.uploaderConcurrency, layout: this.layout },
      sync: {
        wal_sync_interval: this.walSyncInterval,
        snapshot_interval: this.snapshotInterval,
        max_changes: this.maxChanges,
        max_interval: this.maxInterval,
        on_idle: this.onIdle,
        on_startup: this.onStartup,
        compact_after_snapshot: this.compactAfterSnapshot,
        compact_interval: this.compactInterval,
        validation_interval: this.validationInterval,
        checkpoint_interval: this.checkpointInterval,
        min_checkpoint_page_count: this.minCheckpointPages,
        wal_truncate_threshold_pages: this.walTruncateThreshold,
        observe: this.observe,
      },
      retention: {
        hourly: this.retainHourly,
        daily: this.retainDaily,
        weekly: this.retainWeekly,
        monthly: this.retainMonthly,
      },
      retry: {
        max_retries: this.maxRetries,
        base_delay_ms: this.baseDelayMs,
        max_delay_ms: this.maxDelayMs,
        circuit_breaker_enabled: this.noCircuitBreaker === true ? false : undefined,
        circuit_breaker_threshold: this.circuitBreakerThreshold,
      },
      shadow: { dir: this.shadowDir, max_size: this.shadowMaxSize },
      metrics: { port: this.metricsPort, enabled: this.noMetrics === true ? false : undefined },
    };
  }
}
