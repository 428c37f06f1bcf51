import { Cli, Command, Option } from "clipanion";
import type { ConfigSources } from "../config/resolve.ts";
import type { Settings } from "../config/settings.ts";
import type { Log } from "../observability/log.ts";
import type { OpenedWalrust, WalrustDependencies } from "../walrust.ts";
import type { CliContext } from "./context.ts";
import { COLLECT_LATE, compilerForSize } from "./engine.ts";
import { openLog } from "./output.ts";

export { Cli, Option };

/**
 * What all commands share. An option's description begins with the name of its value in capitals, if it has one (help.ts).
 * Modules that do work are imported when a command runs, so that `--help` costs nothing and `watch` holds only its own.
 */
export abstract class WalrustCommand extends Command<CliContext> {
  bucket = Option.String("-b,--bucket", {
    description: "ADDRESS where copies are: a bucket, s3://bucket/prefix, or file:///folder",
  });
  endpoint = Option.String("--endpoint", { description: "URL of a storage that is not AWS" });
  config = Option.String("--config", { description: "FILE (default: ./walrust.toml, if it is there)" });
  json = Option.Boolean("--json", false, { description: "print for machines" });

  abstract override execute(): Promise<number>;

  /** The sources of every setting; `own` adds the flags that only this command has. */
  protected sources(own: Partial<ConfigSources> = {}): ConfigSources {
    const { env, cwd } = this.context;
    const common = { bucket: this.bucket, endpoint: this.endpoint };
    return {
      env,
      cwd,
      paths: [],
      ...(this.config === undefined ? {} : { configPath: this.config }),
      ...own,
      flags: { ...own.flags, s3: { ...own.flags?.s3, ...common } },
    };
  }

  /** For commands that need the storage alone, read it, and end. */
  protected async openStorageOnly(): Promise<OpenedWalrust> {
    this.context.setEngineFlag(COLLECT_LATE);
    const { resolveStorageSettings } = await import("../config/resolve.ts");
    const settings = await resolveStorageSettings(this.sources());
    return this.openWith(settings, await openLog(this.context, settings.log), { mayBlock: true });
  }

  /** @param options mayBlock: the command does nothing else */
  protected async openWith(
    settings: Pick<Settings, "storage">,
    log: Log,
    options: Pick<WalrustDependencies, "mayBlock"> = {},
  ): Promise<OpenedWalrust> {
    const { openWalrust } = await import("../walrust.ts");
    const { clock, env, setEngineFlag } = this.context;
    const compileForSize = compilerForSize(setEngineFlag);
    return openWalrust(settings, { clock, env, log, compileForSize, ...options });
  }
}
