import { constants } from "node:os";
import type { Outcome } from "../../bench/outcome.ts";
import { WalrustError } from "../../errors.ts";
import { Option, WalrustCommand } from "../command.ts";
import { StopRequest } from "../context.ts";
import { printJson, printLine } from "../output.ts";
import { reportError } from "../report-error.ts";

export class BenchCommand extends WalrustCommand {
  static override paths = [["bench"]];
  static override usage = WalrustCommand.Usage({
    description: "Measure walrust on this machine, and hold it against its goals",
    details:
      "WORKLOADS: memory, latency, throughput, snapshot, restore, codec; all of them if none is named, which takes about\n" +
      "ten minutes. Databases of its own are written, copied into a folder, restored, and compared row by row with what\n" +
      "was written: if they differ, the run is void, there are no figures, and the exit code is 1. Memory is measured on\n" +
      "Linux alone.",
    examples: [
      ["Everything, with exit code 1 if a goal is missed", "walrust bench --assert"],
      ["On the disk that counts", "walrust bench latency snapshot --dir /data"],
      ["Beside Litestream, run by run in turn", "walrust bench memory --against litestream"],
    ],
  });

  workloads = Option.Rest({ name: "WORKLOADS" });
  against = Option.String("--against", {
    description: "PROGRAM litestream, or its path, measured in turn with walrust",
  });
  assert = Option.Boolean("--assert", false, { description: "exit code 1 if a goal is missed" });
  runs = Option.String("--runs", "3", { description: "N runs of each, of which the median counts (3)" });
  databases = Option.String("--databases", "1,10,100", {
    description: "N,N,... how many, for memory (1,10,100)",
  });
  megabytes = Option.String("--megabytes", "200", {
    description: "N size of the database of snapshot and restore (200)",
  });
  seconds = Option.String("--seconds", "20", {
    description: "N for which the writer of throughput goes on (20)",
  });
  commits = Option.String("--commits", "20", { description: "N of latency, about 3 seconds each (20)" });
  dir = Option.String("--dir", {
    description: "FOLDER for files while it measures (default: the system's temporary one)",
  });

  override async execute(): Promise<number> {
    if (this.bucket !== undefined || this.endpoint !== undefined || this.config !== undefined) {
      throw new WalrustError(
        "USAGE",
        "bench: it measures with a folder: --bucket, --endpoint and --config have no place here",
      );
    }
    try {
      return await this.#measure();
    } catch (error) {
      const { signal } = this.context;
      if (!(signal.reason instanceof StopRequest) || signal.reason.by === "parent") throw error;
      const exitCode = 128 + constants.signals[signal.reason.by]; // as shells have it
      return reportError(signal.reason, this.context, { json: this.json, exitCode });
    }
  }

  async #measure(): Promise<number> {
    const { benchRequest } = await import("../bench-request.ts");
    const request = benchRequest(this);
    const [{ benchFolder, benchTools, inScratchFolder, runBench }, { thisMachine }, { hasProc }, view] =
      await Promise.all([
        import("../run-bench.ts"),
        import("../../bench/machine.ts"),
        import("../../bench/process-tree.ts"),
        import("../views/bench-view.ts"),
      ]);
    const { tools, versions } = await benchTools(this.context, this.against);
    const folder = benchFolder(this.context, this.dir);
    const facts = {
      ...{ machine: thisMachine(), folder, runs: request.runs },
      ...{ tools: versions, hasProc: hasProc() },
    };
    const print = (text: string) => {
      if (!this.json) printLine(this.context, text);
    };
    const outcomes = await inScratchFolder(folder, (scratch) => {
      print(view.benchHead(facts));
      const onOutcome = (outcome: Outcome) => print(`\n${view.outcomeText(outcome, request.options)}`);
      return runBench(this.context, {
        ...request,
        ...{ tools, scratch, showsProgress: !this.json, onOutcome },
      });
    });
    if (this.json) printJson(this.context, view.benchDocument(facts, outcomes, request.options));
    else print(`\n${view.verdictText(outcomes)}`);
    return view.benchExitCode(outcomes, { assert: this.assert });
  }
}
