import type { Dead, Death, Operation } from "./dying.ts";

/** One story in which the program dies: built anew for each death. */
export interface CrashScene {
  /** Runs the program until it dies; undefined: it ended well, and never came to that. */
  die(death: Death): Promise<Operation | undefined>;
  /** What must hold while nobody has put anything right. */
  afterDeath(): Promise<void>;
  /** The same again, undisturbed, and what must hold then. */
  liveOn(): Promise<void>;
  /** All that the program does when nobody disturbs it. */
  trace(): Promise<readonly Operation[]>;
}

/** Whatever the application does while the program is away. */
export const MEANWHILE = ["nothing", "commits", "log cut", "log begun anew twice"] as const;
export type Meanwhile = (typeof MEANWHILE)[number];

/** Published TXIDs, as the events of `watch --json` and the document of `snapshot --json` announced them. */
export function announcedBy({ lines }: Pick<Dead, "lines">): bigint[] {
  return lines
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .flatMap((line) => {
      const { type, max_txid: last, txid } = JSON.parse(line) as Record<string, number | string>;
      if (type === "published") return [BigInt(last ?? 0)];
      return type === "snapshot" || type === "gap_repaired" ? [BigInt(txid ?? 0)] : [];
    });
}
