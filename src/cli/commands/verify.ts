import { rmSync } from "node:fs";
import path from "node:path";
import { isWalrustError, WalrustError } from "../../errors.ts";
import type { VerifyProgress } from "../../restore/verify.ts";
import type { OpenedWalrust } from "../../walrust.ts";
import { Option, WalrustCommand } from "../command.ts";
import { printJson, printLine } from "../output.ts";
import type { Unverified, Verified } from "../views/verify-view.ts";

export class VerifyCommand extends WalrustCommand {
  static override paths = [["verify"]];
  static override usage = WalrustCommand.Usage({
    description: "Read every byte of a backup, and say what is wrong with it and what that costs",
    details:
      "Every file exists and is what its name says, checksums hold, the files form an unbroken chain, manifest and\n" +
      "objects agree. Exit code 5: something was found, and --fix could not put it right. With --fix the manifest is\n" +
      "rewritten from the objects, also beside a running watch; what is lost stays lost, and is said. No object is\n" +
      "ever changed or deleted.",
    examples: [
      ["One database", "walrust verify app -b s3://copies"],
      [
        "Also restore it, to a temporary file, and let SQLite check it",
        "walrust verify app --restore -b s3://copies",
      ],
      ["Every database of the storage", "walrust verify --all -b s3://copies"],
      ["Make a lost or wrong manifest again", "walrust verify app --fix -b s3://copies"],
    ],
  });

  name = Option.String({ name: "NAME", required: false });
  restore = Option.Boolean("--restore", false, {
    description: "restore to a temporary file too, with a full check",
  });
  fix = Option.Boolean("--fix", false, { description: "rewrite the manifest from the objects" });
  all = Option.Boolean("--all", false, { description: "all databases of the storage" });

  override async execute(): Promise<number> {
    if (this.all === (this.name !== undefined)) {
      throw new WalrustError("USAGE", "verify: give the NAME of a database, or --all");
    }
    const { verifyDocument, verifyExitCode, verifyText } = await import("../views/verify-view.ts");
    const walrust = await this.openStorageOnly();
    try {
      const all: Array<Verified | Unverified> = [];
      for (const name of await this.#names(walrust)) {
        const one = await this.#attempt(walrust, name);
        all.push(one);
        if (!this.json) printLine(this.context, verifyText(one));
      }
      if (this.json) printJson(this.context, { storage: walrust.url, databases: all.map(verifyDocument) });
      return verifyExitCode(all);
    } finally {
      await walrust.close();
    }
  }

  async #names(walrust: OpenedWalrust): Promise<readonly string[]> {
    if (this.name !== undefined) return [this.name];
    const databases = await walrust.list({ signal: this.context.signal });
    if (databases.length > 0) return databases.map(({ name }) => name);
    throw new WalrustError("RESTORE_NOTHING", `there is no database in ${walrust.url}`);
  }

  /** Of many databases, one that cannot be verified does not stop the others. */
  async #attempt(walrust: OpenedWalrust, name: string): Promise<Verified | Unverified> {
    try {
      return await this.#verify(walrust, name);
    } catch (error) {
      if (!this.all || !isWalrustError(error) || this.context.signal.aborted) throw error;
      return { name, error };
    }
  }

  async #verify(walrust: OpenedWalrust, name: string): Promise<Verified> {
    const { startProgress } = await import("../progress.ts");
    const { signal } = this.context;
    const progress = startProgress(this.context, `verifying ${name}`);
    const onProgress = ({ doneBytes, totalBytes }: VerifyProgress) => progress.update(doneBytes, totalBytes);
    const options = { signal, onProgress };
    const verifying = this.fix
      ? walrust.verifyAndFix(name, options)
      : walrust.verify(name, options).then((report) => ({ report, fix: undefined }));
    const verified = await verifying.finally(() => progress.stop());
    return { ...verified, restoreError: this.restore ? await this.#restoreError(walrust, name) : undefined };
  }

  /** What a backup is worth shows when it is restored. Storage that cannot be reached is no finding, and thrown. */
  async #restoreError(walrust: OpenedWalrust, name: string): Promise<WalrustError | undefined> {
    const { clearScratchFolders, makeScratchFolder } = await import("../../restore/scratch-folder.ts");
    clearScratchFolders("verify");
    const folder = makeScratchFolder("verify");
    try {
      const { signal } = this.context;
      await walrust.restore(name, path.join(folder, "restored.db"), { integrityCheck: "full", signal });
      return undefined;
    } catch (error) {
      if (isWalrustError(error) && (error.exitCode === 5 || error.exitCode === 6)) return error;
      throw error;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
