import { setTimeout as sleep } from "node:timers/promises";
import { theOnly } from "../src/bench/session.ts";
import type { SpreadCommit } from "../src/bench/spread.ts";
import type { Tool } from "../src/bench/tools/tool.ts";
import { until } from "../src/bench/until.ts";
import type { Bench } from "../src/bench/workload.ts";
import { drainAndProve, protect, spreadOver, withCrowd } from "./crowd.ts";
import { lagsOf } from "./lags.ts";
import type { StorageProcess } from "./storage-process.ts";

/** How storage is away: nobody listens, or requests are taken and never answered. */
export const ABSENCES = ["refused", "stalled"] as const;
export type Absence = (typeof ABSENCES)[number];

export const ABSENCES_TEXT =
  "refused: the server closes its port and all connections; stalled: it is stopped, takes connections and answers nothing";

/** Of writing, before storage goes and after it is back. */
const BEFORE_SECONDS = 3;
const AFTER_SECONDS = 10;
/** Far longer than any tool waits between two tries. */
const RETURN_LIMIT_MS = 180_000;

export interface AbsenceOptions {
  readonly absence: Absence;
  readonly awaySeconds: number;
  readonly commitsPerSecond: number;
}

export interface AfterAbsence {
  /** From the return of storage until the next object was there. */
  readonly firstObjectSeconds: number;
  /** From the return of storage until all was durable that had been committed before it. */
  readonly caughtUpSeconds: number;
  /** Of the whole run of the daemon. */
  readonly peakRssBytes: number;
}

/** Takes storage away under one database that is written to. */
export function throughAbsence(tool: Tool, bench: Bench, options: AbsenceOptions): Promise<AfterAbsence> {
  const { absence, awaySeconds, commitsPerSecond: rate } = options;
  return withCrowd(tool, bench, { count: 1 }, async (crowd) => {
    const { server, job } = crowd;
    const { daemon } = await protect(crowd);
    const seconds = BEFORE_SECONDS + awaySeconds + AFTER_SECONDS;
    const loading = spreadOver(crowd, daemon, { rate, seconds });
    loading.catch(() => {}); // it is asked below, unless something else fails first
    await sleep(BEFORE_SECONDS * 1000);
    await takeAway(server, absence);
    await sleep(awaySeconds * 1000);
    const backNs = process.hrtime.bigint();
    await bringBack(server, absence);
    const folder = tool.publications("s3", theOnly(job));
    await until(
      "an object after the return of storage",
      async () => ((await server.ask("arrivals")).get(folder)?.lastNs ?? 0n) > backNs,
      { limitMs: RETURN_LIMIT_MS },
    );
    const { commits, peakRssBytes } = await loading;
    await drainAndProve(crowd, daemon);
    const publications = (await server.ask("publications")).get(folder) ?? [];
    const first = publications.find(({ atNs }) => atNs > backNs);
    const last = (commits.get(theOnly(job)) ?? []).findLast(({ atNs }) => atNs < backNs);
    if (first === undefined || last === undefined) throw new Error("nothing was committed or published");
    return {
      firstObjectSeconds: secondsBetween(backNs, first.atNs),
      caughtUpSeconds: durableSeconds(last, publications) - secondsBetween(last.atNs, backNs),
      peakRssBytes,
    };
  });
}

function durableSeconds(commit: SpreadCommit, publications: Parameters<typeof lagsOf>[1]): number {
  const [seconds = Number.NaN] = lagsOf([commit], publications);
  return seconds;
}

function secondsBetween(fromNs: bigint, toNs: bigint): number {
  return Number(toNs - fromNs) / 1e9;
}

async function takeAway(server: StorageProcess, absence: Absence): Promise<void> {
  if (absence === "refused") await server.ask("closed");
  else server.stall();
}

async function bringBack(server: StorageProcess, absence: Absence): Promise<void> {
  if (absence === "refused") await server.ask("opened");
  else server.goOn();
}
