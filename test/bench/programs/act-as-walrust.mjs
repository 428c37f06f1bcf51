import { copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Looks like walrust to a benchmark. @param restored what is done to the copy of the database that `restore` puts down */
export function actAsWalrust(restored) {
  const [command, ...args] = process.argv.slice(2);
  const option = (name) => args[args.indexOf(name) + 1];
  const setting = (key) =>
    JSON.parse(new RegExp(`^${key} = (".*")$`, "m").exec(readFileSync(option("--config"), "utf8"))[1]);
  if (command === "--version") console.log("not walrust");
  if (command === "watch") {
    process.on("SIGTERM", () => process.exit(0)); // which may come as soon as the first copy is there
    setInterval(() => {}, 1000);
    const folder = join(fileURLToPath(setting("bucket")), setting("prefix"));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "copy.tmp"), "");
    renameSync(join(folder, "copy.tmp"), join(folder, "00000001-00000001.ltx"));
  }
  if (command === "restore") {
    copyFileSync(setting("path"), option("-o"));
    restored(option("-o"));
  }
}
