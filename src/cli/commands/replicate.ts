import path from "node:path";
import { parseDuration } from "../../config/durations.ts";
import { WalrustError } from "../../errors.ts";
import type { Follower } from "../../follow/follower.ts";
import type { RestoreProgress } from "../../restore/restore.ts";
import { Option, WalrustCommand } from "../command.ts";
import { openLog, printJson, printLine } from "../output.ts";
import { replicaAddress } from "../replica-address.ts";

export class ReplicateCommand extends WalrustCommand {
  static override paths = [["replicate"]];
  static override usage = WalrustCommand.Usage({
    description: "Keep a read replica: a local file that follows a database in storage",
    details:
      "ADDRESS is s3://bucket/prefix/name or file:///folder/name: its last part is the database's name. Beside -b it is\n" +
      "the NAME alone. FILE is made if it is not there; any SQLite may read it at any time and sees whole transactions of\n" +
      "the source, one state after the other. It is kept read-only, and what somebody else writes to it is undone (with\n" +
      "--once: exit code 5). FILE-replica-state says how far it is. SIGTERM and SIGINT end it in order.",
    examples: [
      ["Follow a database", "walrust replicate s3://copies/app --local replica.db"],
      ["The same, with the storage on its own", "walrust replicate app -b s3://copies --local replica.db"],
      ["Look every second", "walrust replicate s3://copies/app --local replica.db --interval 1s"],
      ["Up to now, then the end", "walrust replicate file:///backups/app --local replica.db --once"],
    ],
  });

  address = Option.String({ name: "ADDRESS" });
  local = Option.String("--local", { required: true, description: "FILE the replica" });
  interval = Option.String("--interval", "5s", {
    description: "TIME between two looks at the storage (5s)",
  });
  once = Option.Boolean("--once", false, { description: "bring it up to date, then end" });

  override async execute(): Promise<number> {
    const { bucket, name } = replicaAddress(this.address, this.bucket);
    const intervalMs = parseDuration(this.interval);
    if (!intervalMs) {
      throw new WalrustError(
        "USAGE",
        `--interval: expected a time such as 500ms, 5s or 2m, got ${JSON.stringify(this.interval)}`,
      );
    }
    this.bucket = bucket;
    const { resolveStorageSettings } = await import("../../config/resolve.ts");
    const settings = await resolveStorageSettings(this.sources());
    const { jsonReporter, logReporter } = await import("../../observability/reporter.ts");
    const { clock, cwd, signal, stdout } = this.context;
    const log = await openLog(this.context, settings.log);
    const events = this.json ? jsonReporter(clock, (line) => stdout.write(line)) : logReporter(log);
    const walrust = await this.openWith(settings, log);
    const progress = await this.#progress(name);
    try {
      const local = path.resolve(cwd, this.local);
      const options = { intervalMs, stop: signal, events, onProgress: progress.update };
      return await walrust.replicate(name, local, options, (follower) => this.#run(name, follower));
    } finally {
      progress.stop();
      await walrust.close();
    }
  }

  async #run(name: string, follower: Follower): Promise<number> {
    if (!this.once) {
      await follower.follow();
      return 0;
    }
    await follower.once();
    const { replicaDocument, replicaText } = await import("../views/replica-view.ts");
    if (this.json) printJson(this.context, replicaDocument(name, follower.status));
    else printLine(this.context, replicaText(name, follower.status));
    return 0;
  }

  /** Of copies of the whole database; each has its own bar. */
  async #progress(name: string) {
    const { startProgress } = await import("../progress.ts");
    let shown: ReturnType<typeof startProgress> | undefined;
    const stop = () => {
      shown?.stop();
      shown = undefined;
    };
    const update = ({ phase, doneBytes, totalBytes }: RestoreProgress) => {
      if (phase === "checking" || phase === "finishing") return stop();
      shown ??= startProgress(this.context, `copying ${name}`);
      shown.update(doneBytes, totalBytes);
    };
    return { update, stop };
  }
}
