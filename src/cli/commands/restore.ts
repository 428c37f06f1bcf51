import path from "node:path";
import type { RestoreTarget } from "../../restore/plan.ts";
import type { RestoreOptions, RestoreProgress } from "../../restore/restore.ts";
import type { IntegrityLevel } from "../../sqlite/integrity.ts";
import type { OpenedWalrust } from "../../walrust.ts";
import { Option, WalrustCommand } from "../command.ts";
import { choiceFlag, wholeNumberFlag } from "../flag-values.ts";
import { printJson, printLine } from "../output.ts";
import { restoreTarget } from "../restore-target.ts";

const CHECKS = ["none", "quick", "full"] as const satisfies readonly (IntegrityLevel | "none")[];

export class RestoreCommand extends WalrustCommand {
  static override paths = [["restore"]];
  static override usage = WalrustCommand.Usage({
    description: "Restore a database: the latest state, or a point in time",
    details:
      "A time means the last commit at or before it. Every file is proved by its checksums, the result is checked by\n" +
      "SQLite, and OUT appears whole or not at all. Exit code 6: that state cannot be reached, and why.",
    examples: [
      ["The latest state", "walrust restore app -b s3://copies -o app.db"],
      [
        "As it was at noon",
        "walrust restore app -b s3://copies -o app.db --point-in-time 2026-01-31T12:00:00Z",
      ],
      [
        "Exactly TXID 50, over the old file",
        "walrust restore app -b s3://copies -o app.db --txid 50 --force",
      ],
      ["What would be read", "walrust restore app -b s3://copies -o app.db --dry-run"],
    ],
  });

  name = Option.String({ name: "NAME" });
  out = Option.String("-o,--output", { required: true, description: "OUT the file to write" });
  pointInTime = Option.String("--point-in-time", { description: "TIME (RFC 3339 with a zone) or TXID" });
  txid = Option.String("--txid", { description: "N exactly this transaction" });
  nearest = Option.Boolean("--nearest", false, {
    description: "where the history of that time has a hole, take the point before it",
  });
  dryRun = Option.Boolean("--dry-run", false, { description: "only show which files would be read" });
  force = Option.Boolean("--force", false, { description: "replace OUT if it exists" });
  parallel = Option.String("--parallel", { description: "N requests at once (8)" });
  integrityCheck = Option.String("--integrity-check", "quick", {
    description: "LEVEL SQLite's check of the result: none, quick or full (quick)",
  });

  override async execute(): Promise<number> {
    const target = restoreTarget(this);
    const parallel = wholeNumberFlag("--parallel", this.parallel, { least: 1, most: 256 });
    const integrityCheck = choiceFlag("--integrity-check", this.integrityCheck, CHECKS);
    const walrust = await this.openStorageOnly();
    try {
      if (this.dryRun) await this.#showPlan(walrust, target);
      else
        await this.#restore(walrust, {
          target,
          integrityCheck,
          ...(parallel === undefined ? {} : { parallel }),
        });
      return 0;
    } finally {
      await walrust.close();
    }
  }

  async #showPlan(walrust: OpenedWalrust, target: RestoreTarget): Promise<void> {
    const { planDocument, planText } = await import("../views/restore-view.ts");
    const { clock, signal } = this.context;
    const plan = await walrust.plan(this.name, target, { signal });
    if (this.json) printJson(this.context, planDocument(this.name, plan));
    else printLine(this.context, await planText(this.name, plan, clock.now()));
  }

  async #restore(walrust: OpenedWalrust, options: RestoreOptions): Promise<void> {
    const { restoreDocument, restoreText } = await import("../views/restore-view.ts");
    const { startProgress } = await import("../progress.ts");
    const { clock, cwd, signal } = this.context;
    const startedMs = clock.monotonicMs();
    const progress = startProgress(this.context, `restoring ${this.name}`);
    const onProgress = ({ doneBytes, totalBytes }: RestoreProgress) => progress.update(doneBytes, totalBytes);
    const result = await walrust
      .restore(this.name, path.resolve(cwd, this.out), { ...options, force: this.force, signal, onProgress })
      .finally(() => progress.stop());
    const when = { nowMs: clock.now(), durationMs: clock.monotonicMs() - startedMs };
    if (this.json) printJson(this.context, restoreDocument(result, when));
    else printLine(this.context, restoreText(result, when));
  }
}
