import type { RetentionOverrides } from "../../config/retention.ts";
import type { CompactProgress } from "../../retention/compact.ts";
import { Option, WalrustCommand } from "../command.ts";
import { wholeNumberFlag } from "../flag-values.ts";
import { openLog, printJson, printLine } from "../output.ts";

/** More than a century of hours. */
const MOST_SNAPSHOTS = 1_000_000;

export class CompactCommand extends WalrustCommand {
  static override paths = [["compact"]];
  static override usage = WalrustCommand.Usage({
    description: "Delete what no restore point that stays needs, and merge old incrementals",
    details:
      "Stays: the newest snapshot of each of the last hours, days, ISO weeks and months (UTC) that have one, and\n" +
      "always the newest; every point since the oldest of the hourly ones, of older ones one a minute ([compaction]\n" +
      "in walrust.toml). Only shows what would be done, unless --force is given. Works beside a running watch.",
    examples: [
      ["What would be done", "walrust compact app -b s3://copies"],
      ["Do it", "walrust compact app -b s3://copies --force"],
      [
        "Two days in detail, a month of days, nothing older",
        "walrust compact app -b s3://copies --hourly 48 --daily 31 --weekly 0 --monthly 0 --force",
      ],
    ],
  });

  name = Option.String({ name: "NAME" });
  hourly = Option.String("--hourly", { description: "N hours of which a snapshot stays (24)" });
  daily = Option.String("--daily", { description: "N days (7)" });
  weekly = Option.String("--weekly", { description: "N weeks (12)" });
  monthly = Option.String("--monthly", { description: "N months (12)" });
  force = Option.Boolean("--force", false, { description: "do it" });

  override async execute(): Promise<number> {
    const { resolveCompaction } = await import("../../config/resolve.ts");
    const { retentionPolicy } = await import("../../config/retention.ts");
    const { compactDocument, compactText } = await import("../views/compact-view.ts");
    const overrides = this.#overrides();
    const { storage, log, ...configured } = await resolveCompaction(this.sources(), this.name);
    const policy = retentionPolicy(overrides, configured);
    const walrust = await this.openWith({ storage }, await openLog(this.context, log));
    try {
      const { startProgress } = await import("../progress.ts");
      const { clock, signal } = this.context;
      const startedMs = clock.monotonicMs();
      const progress = startProgress(this.context, `merging files of ${this.name}`);
      const onProgress = ({ doneBytes, totalBytes }: CompactProgress) =>
        progress.update(doneBytes, totalBytes);
      const report = await walrust
        .compact(this.name, { policy, force: this.force, signal, onProgress })
        .finally(() => progress.stop());
      const when = { nowMs: clock.now(), durationMs: clock.monotonicMs() - startedMs };
      if (this.json) printJson(this.context, compactDocument(report, when));
      else printLine(this.context, compactText(report, when));
      return 0;
    } finally {
      await walrust.close();
    }
  }

  #overrides(): RetentionOverrides {
    const count = (flag: string, text: string | undefined) =>
      wholeNumberFlag(flag, text, { least: 0, most: MOST_SNAPSHOTS });
    return {
      hourly: count("--hourly", this.hourly),
      daily: count("--daily", this.daily),
      weekly: count("--weekly", this.weekly),
      monthly: count("--monthly", this.monthly),
    };
  }
}
