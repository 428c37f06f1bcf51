import { Option, WalrustCommand } from "../command.ts";
import { printJson, printLine } from "../output.ts";

export class ExplainCommand extends WalrustCommand {
  static override paths = [["explain"]];
  static override usage = WalrustCommand.Usage({
    description: "Say what the configuration will do, and what it may cost",
    details:
      "Which databases are copied where, when, and for how long, what differs for single ones, and estimates of requests,\n" +
      "storage and costs. Nothing is asked of the storage, and no database is opened.",
    examples: [
      ["A configuration before it is put in place", "walrust explain --config new.toml"],
      ["What a watch of one database would do", "walrust explain app.db -b s3://copies"],
      ["./walrust.toml", "walrust explain"],
    ],
  });

  databases = Option.Rest({ name: "DATABASES" });

  override async execute(): Promise<number> {
    const [{ expandGlobs }, { resolveWithProvenance }, { explain }, view] = await Promise.all([
      import("../../config/databases.ts"),
      import("../../config/resolve.ts"),
      import("../../explain/explain.ts"),
      import("../views/explain-view.ts"),
    ]);
    const { settings, provenance } = await resolveWithProvenance(this.sources({ paths: this.databases }));
    const explanation = explain(settings, await expandGlobs(settings));
    if (this.json) printJson(this.context, view.explainDocument(explanation, provenance));
    else printLine(this.context, view.explainText(explanation, provenance));
    return 0;
  }
}
