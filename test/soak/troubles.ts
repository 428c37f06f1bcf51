import { setTimeout as sleep } from "node:timers/promises";
import { dice } from "../../src/bench/dice.ts";
import { until } from "../../src/bench/until.ts";
import type { Applications } from "./applications.ts";
import type { SoakOptions } from "./arguments.ts";
import { AT_REST, PACES, type Pace } from "./config.ts";
import type { Course } from "./course.ts";
import type { Daemon } from "./daemon.ts";
import type { SoakStorage } from "./storage.ts";

export interface TroublesOptions {
  readonly options: SoakOptions;
  readonly course: Course;
  readonly daemon: Daemon;
  readonly replica: Daemon;
  readonly storage: SoakStorage;
  readonly applications: Applications;
  /** Writes the configuration. */
  readonly setPace: (pace: Pace) => void;
  /** While the replica does not run and its source rests. */
  readonly onRest: () => void;
  /** The daemon answers: before that, a signal would end it as it ends any program. */
  readonly isUp: () => Promise<boolean>;
  /** Requests to storage so far: of all of its users, or, where it does not count, of the daemon. */
  readonly requestsSoFar: () => Promise<number>;
}

const OUTAGE = { leastMs: 3000, mostMs: 12_000 } as const;
/** So long without a request, and what followed the last commits is over. */
const SETTLED_MS = 8000;
const UP_LIMIT_MS = 120_000;
const SETTLE_LIMIT_MS = 180_000;

/** A shorter run rests once, at its end. */
const LONG_MS = 400_000;

/** What goes wrong, or is done to the daemon, in a drawn order: one thing at a time, until `endMs` of the course. */
export async function keepTroubling(troubles: TroublesOptions, endMs: number): Promise<void> {
  const { options, course, storage } = troubles;
  const random = dice(options.seed);
  const between = (leastMs: number, mostMs: number) => leastMs + random() * (mostMs - leastMs);
  const lengthMs = endMs - course.now();
  const clamp = (value: number, least: number, most: number) => Math.max(least, Math.min(most, value));
  const kinds = [
    { everyMs: clamp(lengthMs / 2, 60_000, 300_000), may: true, happen: () => reload(troubles) },
    {
      everyMs: clamp(lengthMs / 3.5, 30_000, 150_000),
      may: options.outages && storage.failures.length > 0,
      happen: () => outage(troubles, between(OUTAGE.leastMs, OUTAGE.mostMs), random()),
    },
    {
      everyMs: clamp(lengthMs / 2.2, 45_000, 480_000),
      may: options.kills,
      happen: () => killAndRestart(troubles),
    },
    {
      everyMs: clamp(lengthMs / 2.5, 180_000, 540_000),
      may: lengthMs > LONG_MS,
      happen: () => rest(troubles, 15_000),
    },
  ].filter(({ may }) => may);
  const due = kinds.map(({ everyMs }) => course.now() + everyMs * between(0.7, 1.1));
  for (;;) {
    const nextMs = Math.min(...due);
    const index = due.indexOf(nextMs);
    const kind = kinds[index];
    if (kind === undefined || Math.max(nextMs, course.now()) > endMs) break;
    await sleep(Math.max(0, nextMs - course.now()));
    await kind.happen();
    due[index] = course.now() + kind.everyMs * between(0.8, 1.2);
  }
  await sleep(Math.max(0, endMs - course.now()));
}

async function outage({ course, storage }: TroublesOptions, lengthMs: number, chance: number): Promise<void> {
  const how = storage.failures[Math.floor(chance * storage.failures.length)] ?? "refused";
  await course.during("outage", `storage is away for ${(lengthMs / 1000).toFixed(1)} s: ${how}`, async () => {
    storage.order(how);
    await sleep(lengthMs);
    storage.order("well");
  });
}

async function killAndRestart({ course, daemon, isUp }: TroublesOptions): Promise<void> {
  await course.during("kill", "the daemon is killed, and started again", async () => {
    await daemon.kill();
    daemon.start();
    await until("the daemon answers", isUp, { limitMs: UP_LIMIT_MS, everyMs: 250 });
  });
}

let reloads = 0;
async function reload({ course, daemon, setPace }: TroublesOptions): Promise<void> {
  const pace = PACES[++reloads % PACES.length] ?? PACES[0];
  await course.during("reload", `a snapshot each ${pace.snapshotSeconds} s from now on`, async () => {
    setPace(pace);
    daemon.reload();
  });
}

/** All applications rest: once everything that followed their last commits is over, nothing is asked of storage any more. */
export async function rest(troubles: TroublesOptions, lengthMs: number): Promise<void> {
  const { course, daemon, replica, applications, setPace, onRest } = troubles;
  await course.during("idle", "nobody writes", async () => {
    await applications.pause();
    await replica.stop();
    onRest();
    setPace(AT_REST);
    daemon.reload();
    const settled = await settledRequests(troubles);
    if (settled === undefined) {
      course.find(`requests go on ${SETTLE_LIMIT_MS / 1000} s after the last commit`);
    } else {
      await sleep(lengthMs);
      const more = (await troubles.requestsSoFar()) - settled;
      if (more > 0) course.find(`${more} requests within ${lengthMs / 1000} s in which nobody wrote`);
    }
    setPace(PACES[0]);
    daemon.reload();
    replica.start();
    applications.go();
  });
}

/** The number of requests when none had come for a while; undefined if they never end. */
async function settledRequests({ requestsSoFar }: TroublesOptions): Promise<number | undefined> {
  let last = await requestsSoFar();
  let sinceMs = performance.now();
  const look = async () => {
    const now = await requestsSoFar();
    if (now !== last) sinceMs = performance.now();
    last = now;
    return performance.now() - sinceMs > SETTLED_MS;
  };
  try {
    await until("requests end", look, { limitMs: SETTLE_LIMIT_MS, everyMs: 250 });
    return last;
  } catch {
    return undefined;
  }
}
