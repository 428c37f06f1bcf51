import { dice } from "../../src/bench/dice.ts";
import type { ApplicationMove } from "./application.ts";
import { TROUBLES, type Trouble } from "./simulated-storage.ts";

/** One line of a schedule. What does not apply when its turn comes is left out, so that any part of a schedule is one too. */
export type Move =
  | { readonly kind: "application"; readonly does: ApplicationMove }
  /** The application moves in the middle of what walrust does: before its n-th operation, or its n-th statement on the database, from now. */
  | {
      readonly kind: "amid";
      readonly among: "operations" | "statements";
      readonly operation: number;
      readonly does: ApplicationMove;
    }
  /** Everybody goes on; `order` decides who comes next where several can. */
  | { readonly kind: "work"; readonly steps: number; readonly order: number }
  | { readonly kind: "time"; readonly ms: number }
  | { readonly kind: "clock-jump"; readonly ms: number }
  /** One request fails, with or without its effect. */
  | { readonly kind: "trouble"; readonly pick: number; readonly says: Trouble; readonly effect: boolean }
  | { readonly kind: "outage"; readonly begins: boolean }
  | {
      readonly kind: "file-error";
      readonly operation: number;
      readonly code: "EIO" | "ENOSPC" | "EMFILE" | "EACCES";
    }
  | { readonly kind: "disk-full"; readonly begins: boolean }
  | {
      readonly kind: "kill";
      readonly who: ProcessName;
      readonly among: "operations" | "requests";
      readonly operation: number;
      readonly at: "before" | "half-way" | "behind";
    }
  | { readonly kind: "power-loss"; readonly keeps: number; readonly zeros: boolean; readonly order: number }
  | { readonly kind: "start" }
  | { readonly kind: "stop" }
  | { readonly kind: "hint" }
  | { readonly kind: "snapshot" }
  | { readonly kind: "compact" }
  | { readonly kind: "restore" }
  | { readonly kind: "lose-local-state" }
  | { readonly kind: "lose-manifest" };

export type ProcessName = "daemon" | "compaction" | "restore";

type Roll = (sides: number) => number;

/** How often each kind of move comes, by weight, and what it looks like. */
const KINDS: readonly (readonly [weight: number, make: (roll: Roll) => Move])[] = [
  [30, (roll) => ({ kind: "application", does: applicationMove(roll) })],
  [20, amid],
  [45, (roll) => ({ kind: "work", steps: 1 + roll(60), order: roll(1 << 20) })],
  [
    6,
    (roll) => ({
      kind: "time",
      ms: roll(40) === 0 ? 3_700_000 : ([50, 1000, 1000, 5000, 20_000, 70_000][roll(6)] ?? 0),
    }),
  ],
  [
    1,
    (roll) => ({
      kind: "clock-jump",
      ms: (roll(2) === 0 ? -1 : 1) * ([2000, 3_600_000, 90_000_000][roll(3)] ?? 0),
    }),
  ],
  [
    6,
    (roll) => ({
      kind: "trouble",
      pick: roll(16),
      says: TROUBLES[roll(TROUBLES.length)] as Trouble,
      effect: roll(2) === 0,
    }),
  ],
  [1, (roll) => ({ kind: "outage", begins: roll(3) === 0 })],
  [
    2,
    (roll) => ({
      kind: "file-error",
      operation: 1 + roll(80),
      code: (["EIO", "ENOSPC", "EMFILE", "EACCES"] as const)[roll(4)] ?? "EIO",
    }),
  ],
  [1, (roll) => ({ kind: "disk-full", begins: roll(3) === 0 })],
  [4, kill],
  [1, (roll) => ({ kind: "power-loss", keeps: roll(5) / 4, zeros: roll(3) === 0, order: roll(1 << 20) })],
  [8, () => ({ kind: "start" })],
  [1, () => ({ kind: "stop" })],
  [2, () => ({ kind: "hint" })],
  [1, () => ({ kind: "snapshot" })],
  [2, () => ({ kind: "compact" })],
  [1, () => ({ kind: "restore" })],
  [0.3, () => ({ kind: "lose-local-state" })],
  [0.3, () => ({ kind: "lose-manifest" })],
];

const APPLICATION_KINDS: readonly (readonly [weight: number, make: (roll: Roll) => ApplicationMove])[] = [
  [30, (roll) => ({ kind: "commit", rows: 1 + roll(3), bytes: 20 + roll(600) })],
  [3, (roll) => ({ kind: "commit", rows: 40 + roll(60), bytes: 800 })],
  [4, (roll) => ({ kind: "delete", rows: 1 + roll(60) })],
  [2, (roll) => ({ kind: "begin-large", rows: 10 + roll(30) })],
  [3, (roll) => ({ kind: "end-large", how: roll(2) === 0 ? "COMMIT" : "ROLLBACK" })],
  [2, () => ({ kind: "vacuum" })],
  [
    9,
    (roll) => ({
      kind: "checkpoint",
      mode: (["PASSIVE", "FULL", "RESTART", "TRUNCATE"] as const)[roll(4)] ?? "PASSIVE",
    }),
  ],
  [
    8,
    (roll) => ({
      kind: "restart-log",
      mode: roll(2) === 0 ? "RESTART" : "TRUNCATE",
      rows: 1 + roll(5),
    }),
  ],
  [1, (roll) => ({ kind: "autocheckpoint", pages: [0, 3, 1000][roll(3)] ?? 0 })],
  [0.4, (roll) => ({ kind: "page-size", bytes: 512 << roll(4) })],
  [2, () => ({ kind: "reader-begins" })],
  [3, () => ({ kind: "reader-ends" })],
  [2, () => ({ kind: "close" })],
  [1, () => ({ kind: "crash" })],
  [0.6, (roll) => ({ kind: "replace", by: roll(2) === 0 ? "new" : "old" })],
];

function amid(roll: Roll): Move {
  const does = applicationMove(roll);
  if (roll(2) === 0) return { kind: "amid", among: "operations", operation: 1 + roll(60), does };
  return { kind: "amid", among: "statements", operation: 1 + roll(8), does };
}

function kill(roll: Roll): Move {
  const who = (["daemon", "daemon", "daemon", "compaction", "restore"] as const)[roll(5)] ?? "daemon";
  const at = (["before", "half-way", "behind"] as const)[roll(3)] ?? "before";
  // what a dead process asked of storage may still come true: as often as that it dies anywhere
  if (roll(2) === 0) return { kind: "kill", who, among: "requests", operation: 1 + roll(6), at };
  return { kind: "kill", who, among: "operations", operation: 1 + roll(who === "daemon" ? 100 : 30), at };
}

function applicationMove(roll: Roll): ApplicationMove {
  return pick(APPLICATION_KINDS, roll)(roll);
}

const FRACTIONS = 1000;

function pick<T>(table: readonly (readonly [weight: number, value: T])[], roll: Roll): T {
  const total = table.reduce((sum, [weight]) => sum + weight, 0);
  let at = (roll(total * FRACTIONS) / FRACTIONS) as number;
  for (const [weight, value] of table) {
    at -= weight;
    if (at < 0) return value;
  }
  throw new Error("a table has a row for each roll");
}

/** How a simulation is set up. */
export interface Setup {
  readonly pageSizeBytes: number;
  readonly autoVacuum: 0 | 1 | 2;
  readonly autocheckpoint: number;
  readonly syncIntervalMs: number;
  readonly snapshotIntervalMs: number;
  readonly maxChanges: number;
  readonly checkpointIntervalMs: number;
  readonly minCheckpointPages: number;
  readonly walTruncateThresholdPages: number;
  readonly shadowMaxSizeBytes: number;
  readonly layout: "walrust" | "litestream";
  /** Quiet databases are let go, as where there are many. */
  readonly parks: boolean;
  readonly observe: boolean;
  /** At the end a quiet while is waited for, in which nothing may be asked of storage. */
  readonly endsQuietly: boolean;
}

export interface Schedule {
  readonly setup: Setup;
  readonly moves: readonly Move[];
}

/** The schedule of a seed. Each leaves some kinds of moves out, so that others come in rows that they would interrupt. */
export function scheduleOf(seed: number): Schedule {
  const throwDice = dice(seed);
  const roll: Roll = (sides) => Math.floor(throwDice() * sides);
  const setup: Setup = {
    pageSizeBytes: 512 << roll(4),
    autoVacuum: ([0, 0, 1, 2] as const)[roll(4)] ?? 0,
    autocheckpoint: [0, 4, 20, 1000][roll(4)] ?? 0,
    syncIntervalMs: [100, 1000][roll(2)] ?? 1000,
    snapshotIntervalMs: [0, 0, 60_000, 3_600_000][roll(4)] ?? 0,
    maxChanges: [0, 0, 5][roll(3)] ?? 0,
    checkpointIntervalMs: [1000, 10_000, 60_000][roll(3)] ?? 1000,
    minCheckpointPages: [1, 10, 50, 1000][roll(4)] ?? 1,
    walTruncateThresholdPages: [0, 60, 400][roll(3)] ?? 0,
    shadowMaxSizeBytes: roll(4) === 0 ? 60_000 : 1 << 30,
    layout: roll(6) === 0 ? "litestream" : "walrust",
    parks: roll(4) === 0,
    observe: roll(8) === 0,
    endsQuietly: roll(8) === 0,
  };
  const isLeftOut = KINDS.map(([weight]) => weight < 20 && roll(3) === 0);
  const kinds = KINDS.filter((_, index) => !isLeftOut[index]);
  const length = 20 + roll(80);
  return { setup, moves: Array.from({ length }, () => pick(kinds, roll)(roll)) };
}
