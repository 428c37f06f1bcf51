import type { DatabaseSettings, Settings } from "../../config/settings.ts";
import type { SnapshotTaken } from "../../daemon/snapshot-now.ts";
import { WalrustError } from "../../errors.ts";
import { humanDuration, humanSize } from "../../observability/human.ts";
import type { AdjustableLog } from "../../observability/log.ts";
import { Option, WalrustCommand } from "../command.ts";
import { openLog, printJson, printLine } from "../output.ts";

export class SnapshotCommand extends WalrustCommand {
  static override paths = [["snapshot"]];
  static override usage = WalrustCommand.Usage({
    description: "Take one full snapshot of a database now",
    details: "Beside a running watch of the same database too: then that one takes it.",
    examples: [
      ["Before a risky change", "walrust snapshot app.db -b s3://copies"],
      ["As walrust.toml describes the database", "walrust snapshot app.db"],
    ],
  });

  database = Option.String({ name: "DATABASE" });
  layout = Option.String("--layout", { description: "LAYOUT of the copy: walrust or litestream (walrust)" });

  override async execute(): Promise<number> {
    const { resolveSettings } = await import("../../config/resolve.ts");
    const settings = await resolveSettings(
      this.sources({ paths: [this.database], flags: { s3: { layout: this.layout } } }),
    );
    const [database] = settings.databases;
    if (database === undefined) {
      throw new WalrustError("USAGE", `snapshot: ${this.database} is a pattern, not a database`, {
        hint: "Name one database.",
      });
    }
    const { logReporter } = await import("../../observability/reporter.ts");
    const log = await this.#openLog(settings);
    const walrust = await this.openWith(settings, log);
    try {
      const { clock, signal } = this.context;
      const startedMs = clock.monotonicMs();
      const taken = await walrust.snapshot(settings, database, {
        stop: signal,
        events: logReporter(log),
      });
      this.#print(database, taken, clock.monotonicMs() - startedMs);
      return 0;
    } finally {
      await walrust.close();
    }
  }

  /** What goes well is told by the result alone, unless somebody wants to see more. */
  #openLog({ log }: Settings): Promise<AdjustableLog> {
    return openLog(this.context, log.level === "info" ? { ...log, level: "warn" } : log);
  }

  /** The document's keys are stable: users parse it. Sizes are bytes, TXIDs integers. */
  #print({ name, path }: DatabaseSettings, taken: SnapshotTaken, durationMs: number): void {
    const { key, txid, sizeBytes, by } = taken;
    if (this.json) {
      const document = {
        name,
        path,
        key,
        txid,
        size: sizeBytes,
        taken_by: by,
        duration_ms: Math.round(durationMs),
      };
      printJson(this.context, document);
      return;
    }
    const who = by === "daemon" ? ", by the running watch" : "";
    const facts = `${humanSize(sizeBytes)} in ${humanDuration(durationMs)}${who}`;
    printLine(this.context, `snapshot of ${name} at TXID ${txid}: ${key}, ${facts}`);
  }
}
