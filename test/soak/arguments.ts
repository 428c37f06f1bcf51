import { parseArgs } from "node:util";

export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const STORAGES = ["s3", "folder", "seaweedfs"] as const;

export interface SoakOptions {
  readonly minutes: number;
  /** Of the crowd; the mix has a dozen others. */
  readonly databases: number;
  /** Commits a second of the busy one. */
  readonly rate: number;
  readonly storage: (typeof STORAGES)[number];
  readonly seed: number;
  /** Everything that the run leaves: samples, logs, the report. */
  readonly out: string | undefined;
  readonly kills: boolean;
  readonly outages: boolean;
  readonly encrypted: boolean;
  readonly sampleEveryMs: number;
}

export const USAGE = `usage: npm run soak -- [options]

Runs the built program beside applications of many kinds, with everything on, and measures it; draws what it measured, and fails if
something is lost, or if memory, descriptors, logs, local state, storage or lag grow and go on growing.

options:
  --minutes M        how long (10)
  --databases N      of the crowd that is mostly quiet (60); a dozen others are not
  --rate R           commits a second of the busy one (100)
  --storage KIND     s3 (the strict server of the tests), folder, or seaweedfs (WALRUST_WEED names the program); by itself
                     seaweedfs if WALRUST_WEED is set, else s3
  --seed N           of the applications and of what goes wrong (1)
  --out DIR          for samples, logs and report.html (a new folder under the system's temporary one)
  --every S          seconds between two samples (2)
  --encrypt          the copies
  --no-kill          never kill and restart the daemon
  --no-outage        the storage never fails`;

export function parseArguments(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): SoakOptions | "help" {
  const { values } = parse(args);
  if (values.help) return "help";
  const storage = values.storage ?? (env["WALRUST_WEED"] ? "seaweedfs" : "s3");
  const known = STORAGES.find((kind) => kind === storage);
  if (known === undefined) throw new UsageError(`--storage ${STORAGES.join(", ")}, not ${storage}`);
  return {
    minutes: positive("--minutes", values.minutes),
    databases: Math.floor(positive("--databases", values.databases)),
    rate: positive("--rate", values.rate),
    storage: known,
    seed: Math.floor(positive("--seed", values.seed)),
    out: values.out,
    kills: !values["no-kill"],
    outages: !values["no-outage"],
    encrypted: values.encrypt,
    sampleEveryMs: positive("--every", values.every) * 1000,
  };
}

function parse(args: readonly string[]) {
  const text = (fallback: string) => ({ type: "string", default: fallback }) as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", short: "h", default: false },
        minutes: text("10"),
        databases: text("60"),
        rate: text("100"),
        storage: { type: "string" },
        seed: text("1"),
        out: { type: "string" },
        every: text("2"),
        encrypt: flag,
        "no-kill": flag,
        "no-outage": flag,
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new UsageError(`${flag} must be a number above 0, not ${text}`);
  return value;
}
