import { WalrustError } from "../../errors.ts";
import type { OpenedWalrust } from "../../walrust.ts";
import { Option, WalrustCommand } from "../command.ts";
import { printJson, printLine } from "../output.ts";

export class ListCommand extends WalrustCommand {
  static override paths = [["list"]];
  static override usage = WalrustCommand.Usage({
    description: "List the databases in a storage, or the restore points of one",
    examples: [
      ["All databases", "walrust list -b s3://copies"],
      ["The restore points of one", "walrust list app -b s3://copies"],
      ["Its files", "walrust list app --files -b s3://copies"],
    ],
  });

  name = Option.String({ name: "NAME", required: false });
  files = Option.Boolean("--files", false, {
    description: "the files of NAME instead of its restore points",
  });

  override async execute(): Promise<number> {
    const { name } = this;
    if (this.files && name === undefined)
      throw new WalrustError("USAGE", "list: --files needs the NAME of a database");
    const walrust = await this.openStorageOnly();
    try {
      if (name === undefined) await this.#listDatabases(walrust);
      else await this.#listPoints(walrust, name);
      return 0;
    } finally {
      await walrust.close();
    }
  }

  async #listDatabases(walrust: OpenedWalrust): Promise<void> {
    const { databasesDocument, databasesText } = await import("../views/list-view.ts");
    const { signal, clock } = this.context;
    const databases = await walrust.list({ signal });
    if (this.json) printJson(this.context, databasesDocument(walrust.url, databases));
    else printLine(this.context, databasesText(walrust.url, databases, clock.now()));
  }

  async #listPoints(walrust: OpenedWalrust, name: string): Promise<void> {
    const { filesText, pointsDocument, pointsText } = await import("../views/list-view.ts");
    const { signal, clock } = this.context;
    const listed = await walrust.restorePoints(name, { signal });
    if (this.json) printJson(this.context, pointsDocument(listed, { files: this.files }));
    else printLine(this.context, (this.files ? filesText : pointsText)(listed, clock.now()));
  }
}
