import { describe, expect, test } from "vitest";
import { decideLease, type LeaseDecision, type LeaseFacts } from "../../src/replication/lease-decision.ts";
import type { WriterRecord } from "../../src/storage/writer-record.ts";

const OURS = 0xaan;
const OTHER = 0xbbn;

const by = (id: bigint, epoch: number): WriterRecord => ({ id, epoch, host: "h", pid: 9, sinceMs: 0 });
const memoryOf = (epoch: number, taking = 0) => ({ id: OURS, epoch, taking });

const RECORDS = { none: undefined, "ours, 3": by(OURS, 3), "other, 3": by(OTHER, 3) };
const MEMORIES = {
  nothing: undefined,
  "asked for 3, held none": memoryOf(0, 3),
  "held 2": memoryOf(2),
  "held 2, asked for 3": memoryOf(2, 3),
  "held 3": memoryOf(3),
  "held 4": memoryOf(4),
};

const go: LeaseDecision = { kind: "continue", epoch: 3 };
const take = (epoch: number, waits: boolean): LeaseDecision => ({ kind: "take", epoch, waits });
const refuse = (id: bigint): LeaseDecision => ({ kind: "refuse", holder: by(id, 3) });

/** Every record with every memory, on the same run of the machine, the holder perhaps alive, nobody asking for a take-over. */
const TABLE: readonly [keyof typeof RECORDS, keyof typeof MEMORIES, LeaseDecision][] = [
  ["none", "nothing", take(1, false)],
  ["none", "asked for 3, held none", take(1, false)],
  ["none", "held 2", take(2, false)],
  ["none", "held 2, asked for 3", take(2, false)],
  ["none", "held 3", take(3, false)],
  ["none", "held 4", take(4, false)],
  ["ours, 3", "nothing", take(4, true)], // that id is then another's
  ["ours, 3", "asked for 3, held none", go],
  ["ours, 3", "held 2", refuse(OURS)], // a copy of this machine went on
  ["ours, 3", "held 2, asked for 3", go],
  ["ours, 3", "held 3", go],
  ["ours, 3", "held 4", take(4, false)], // storage was put back
  ["other, 3", "nothing", take(4, true)],
  ["other, 3", "asked for 3, held none", take(4, true)],
  ["other, 3", "held 2", refuse(OTHER)],
  ["other, 3", "held 2, asked for 3", refuse(OTHER)],
  ["other, 3", "held 3", refuse(OTHER)],
  ["other, 3", "held 4", refuse(OTHER)],
];

function decide(facts: Partial<LeaseFacts>): LeaseDecision {
  return decideLease({
    record: undefined,
    memory: undefined,
    isSameBoot: true,
    holderMayBeAlive: true,
    takeOver: false,
    ...facts,
  });
}

test("the table is whole", () => {
  expect(TABLE).toHaveLength(Object.keys(RECORDS).length * Object.keys(MEMORIES).length);
  expect(new Set(TABLE.map(([record, memory]) => `${record} ${memory}`)).size).toBe(TABLE.length);
});

describe.each(TABLE)("the record is of %s; remembered: %s", (recordName, memoryName, expected) => {
  const facts = { record: RECORDS[recordName], memory: MEMORIES[memoryName] };

  test("decided as in the table", () => {
    expect(decide(facts)).toEqual(expected);
  });

  test("asked to take over: never refused, and only what was refused is decided otherwise", () => {
    const decision = decide({ ...facts, takeOver: true });
    if (expected.kind !== "refuse") expect(decision).toEqual(expected);
    else expect(decision).toEqual(take(Math.max(3, facts.memory?.epoch ?? 0) + 1, true));
  });

  test("the holder has ended for certain: nobody is waited for", () => {
    const decision = decide({ ...facts, holderMayBeAlive: false });
    expect(decision).toEqual(expected.kind === "take" ? { ...expected, waits: false } : expected);
  });

  test("the record is of another run of the machine: what would go on begins a new epoch", () => {
    const decision = decide({ ...facts, isSameBoot: false });
    expect(decision).toEqual(expected.kind === "continue" ? take(4, false) : expected);
  });

  test("an epoch that is taken is above every other writer's", () => {
    for (const takeOver of [false, true]) {
      const decision = decide({ ...facts, takeOver });
      if (decision.kind === "take" && facts.record) {
        const least = facts.record.id === OURS ? 3 : 4;
        expect(decision.epoch).toBeGreaterThanOrEqual(least);
      }
    }
  });
});
