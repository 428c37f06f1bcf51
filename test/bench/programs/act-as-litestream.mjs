import { copyFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Looks like Litestream to a benchmark. @param restored what is done to the copy of the database that `restore` puts down */
export function actAsLitestream(restored) {
  const [command, ...args] = process.argv.slice(2);
  const option = (name) => args[args.indexOf(name) + 1];
  if (command === "version") console.log("0.5.99");
  if (command === "replicate") {
    process.on("SIGTERM", () => process.exit(0)); // which may come as soon as the first copy is there
    setInterval(() => {}, 1000);
    const replica = /^ {6}path: (".*")$/m.exec(readFileSync(option("-config"), "utf8"))[1];
    const folder = join(JSON.parse(replica), "ltx", "0");
    writeFileSync(join(folder, "copy.tmp"), "");
    renameSync(join(folder, "copy.tmp"), join(folder, "00000001-00000001.ltx"));
  }
  if (command === "restore") {
    copyFileSync(args.at(-1), option("-o"));
    restored(option("-o"));
  }
}
