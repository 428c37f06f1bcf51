import type { SpreadCommit } from "../src/bench/spread.ts";
import { VoidRun } from "../src/bench/workload.ts";
import type { Publication } from "./last-row.ts";

export interface DurablePublication extends Publication {
  /** Of process.hrtime, by the server: when it had the whole object, before it said so. */
  readonly atNs: bigint;
}

/**
 * Seconds from the return of each commit of one database to the moment from which it can be restored: the first object with its row is there, and all
 * objects before that. `publications`: in the order in which they arrived.
 * Errors: VoidRun for a commit that never got there.
 */
export function lagsOf(
  commits: readonly SpreadCommit[],
  publications: readonly DurablePublication[],
): readonly number[] {
  const steps = durableSteps(publications);
  let at = 0;
  return commits.map((commit) => {
    while (at < steps.length && (steps[at]?.lastRow ?? 0) < commit.rows) at += 1;
    const step = steps[at];
    if (step === undefined) throw new VoidRun(`no object has row ${commit.rows}, which was committed`);
    return Number(step.atNs - commit.atNs) / 1e9;
  });
}

/** From when on which row can be restored. An object that arrived before one that comes before it counts from the later moment. */
function durableSteps(
  publications: readonly DurablePublication[],
): readonly Pick<DurablePublication, "lastRow" | "atNs">[] {
  const steps: Pick<DurablePublication, "lastRow" | "atNs">[] = [];
  let txid = 0n;
  let lastRow = 0;
  let ahead: readonly DurablePublication[] = [];
  for (const arrived of publications) {
    ahead = [...ahead, arrived].filter((one) => one.maxTxid > txid);
    for (;;) {
      const next = ahead.find((one) => one.minTxid <= txid + 1n && one.maxTxid > txid);
      if (next === undefined) break;
      txid = next.maxTxid;
      lastRow = Math.max(lastRow, next.lastRow);
      steps.push({ lastRow, atNs: arrived.atNs });
    }
  }
  return steps;
}
