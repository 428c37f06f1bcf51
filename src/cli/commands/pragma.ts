import path from "node:path";
import { Option, WalrustCommand } from "../command.ts";
import { choiceFlag } from "../flag-values.ts";
import { printJson, printLine } from "../output.ts";

export class PragmaCommand extends WalrustCommand {
  static override paths = [["pragma"]];
  static override usage = WalrustCommand.Usage({
    description: "Print the PRAGMAs that an application should use, as SQL",
    examples: [
      ["Into a file, which must not be there yet", "walrust pragma -o pragmas.sql"],
      ["Without the comments", "walrust pragma --comments false"],
    ],
  });

  out = Option.String("-o,--output", { description: "FILE to write instead of stdout" });
  comments = Option.String("--comments", "true", {
    tolerateBoolean: false,
    description: "true,false why each of them is there (true)",
  });

  override async execute(): Promise<number> {
    const comments = choiceFlag("--comments", this.comments, ["true", "false"]) === "true";
    const { PRAGMAS, pragmaSql } = await import("../pragmas.ts");
    const sql = pragmaSql({ comments });
    const file = this.out === undefined ? undefined : path.resolve(this.context.cwd, this.out);
    if (file !== undefined) {
      const { writeNewFile } = await import("../new-file.ts");
      writeNewFile(file, sql);
    }
    if (this.json) {
      const pragmas = PRAGMAS.map(({ name, value, scope, why }) => ({
        name,
        value,
        scope,
        why: why.replaceAll("\n", " "),
      }));
      printJson(this.context, { output: file ?? null, pragmas });
    } else if (file === undefined) {
      this.context.stdout.write(sql);
    } else {
      printLine(this.context, `wrote ${file}`);
    }
    return 0;
  }
}
