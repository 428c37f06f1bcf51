import { resolve } from "node:path";
import type { FoundDaemons } from "../../daemon/find-daemons.ts";
import { WalrustError } from "../../errors.ts";
import type { DaemonDocument, DatabaseDocument } from "../../observability/status-document.ts";
import { printable } from "../../printable.ts";
import { Option, WalrustCommand } from "../command.ts";
import { paint, printJson, printLine } from "../output.ts";

const EVERY_MS = 1000;
/** To the top left, and everything below away. */
const CLEAR = "\u001b[H\u001b[J";

export class StatusCommand extends WalrustCommand {
  static override paths = [["status"]];
  static override usage = WalrustCommand.Usage({
    description: "Show what the running daemons of this user do",
    details:
      "DATABASES are names or paths; without any, all are shown. LAG is the age of the oldest commit that storage lacks.\n" +
      "Exit code 1 if no daemon is running.",
    examples: [
      ["All databases", "walrust status"],
      ["Again every second, until Ctrl-C", "walrust status --watch"],
      ["One database, for a script", "walrust status app --json"],
    ],
  });

  databases = Option.Rest({ name: "DATABASES" });
  watch = Option.Boolean("--watch", false, { description: "show it again every second" });

  override async execute(): Promise<number> {
    const first = await this.#find();
    if (first.daemons.length === 0) throw await this.#nothing(first);
    this.#assertWatched(first.daemons);
    try {
      for (let found = first; ; found = await this.#find()) {
        await this.#show(found);
        if (!this.watch) return 0;
        await this.context.clock.sleep(EVERY_MS, { signal: this.context.signal });
      }
    } catch (error) {
      if (this.context.signal.aborted) return 0; // how a look that repeats itself ends
      throw error;
    }
  }

  async #find(): Promise<FoundDaemons> {
    const { findDaemons } = await import("../../daemon/find-daemons.ts");
    const { clock, signal } = this.context;
    return findDaemons({ clock, signal });
  }

  async #nothing({ failures: [failure] }: FoundDaemons): Promise<WalrustError> {
    const { noDaemon } = await import("../../daemon/find-daemons.ts");
    return failure ?? noDaemon();
  }

  #assertWatched(daemons: readonly DaemonDocument[]): void {
    const watched = daemons.flatMap(({ databases }) => databases);
    const missing = this.databases.find(
      (wanted) => !watched.some((database) => this.#isIt(database, wanted)),
    );
    if (missing === undefined) return;
    throw new WalrustError("DATABASE_NOT_FOUND", `${missing} is not watched by a running walrust`, {
      hint: "`walrust status` shows all that are.",
    });
  }

  #isIt({ name, path }: DatabaseDocument, wanted: string): boolean {
    return name === wanted || path === resolve(this.context.cwd, wanted);
  }

  async #show({ daemons, failures }: FoundDaemons): Promise<void> {
    const { statusDocument, statusText } = await import("../views/status-view.ts");
    const { stdout, stderr, clock } = this.context;
    for (const { message } of failures)
      stderr.write(`${paint(this.context, stderr).yellow("warning:")} ${printable(message)}\n`);
    const shown = this.#only(daemons);
    if (this.json) {
      printJson(this.context, statusDocument(shown));
      return;
    }
    if (this.watch && stdout.isTTY) stdout.write(CLEAR);
    printLine(this.context, statusText(shown, clock.now()));
  }

  /** The databases that were asked for, and the daemons that watch them. */
  #only(daemons: readonly DaemonDocument[]): readonly DaemonDocument[] {
    if (this.databases.length === 0) return daemons;
    const filtered = daemons.map((daemon) => ({
      ...daemon,
      databases: daemon.databases.filter((database) =>
        this.databases.some((wanted) => this.#isIt(database, wanted)),
      ),
    }));
    return filtered.filter(({ databases }) => databases.length > 0);
  }
}
