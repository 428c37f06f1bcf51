import type { WriterRecord } from "../storage/writer-record.ts";
import type { WriterNote } from "./writer-note.ts";

export interface LeaseFacts {
  /** What writer.json says; undefined: there is none. */
  readonly record: WriterRecord | undefined;
  /** What this place remembers; undefined: nothing. */
  readonly memory: Pick<WriterNote, "id" | "epoch" | "taking"> | undefined;
  /** The record was written in this run of this machine: the memory may be one that a copy of the machine has too. */
  readonly isSameBoot: boolean;
  /** False only when it is certain that the writer of the record has ended. */
  readonly holderMayBeAlive: boolean;
  /** Somebody asked for it by hand. */
  readonly takeOver: boolean;
}

export type LeaseDecision =
  /** The record is ours and stays as it is. */
  | { readonly kind: "continue"; readonly epoch: number }
  /** Write ours in its place. `waits`: whoever held it learns of it only at its next check. */
  | { readonly kind: "take"; readonly epoch: number; readonly waits: boolean }
  /** We held it, and another writer has it now: two that take it from one another would go on for ever. */
  | { readonly kind: "refuse"; readonly holder: WriterRecord };

/** Whether we may write a remote database, and what has to be done for it (capture.md, "Two writers"). */
export function decideLease(facts: LeaseFacts): LeaseDecision {
  const { record, memory, isSameBoot, holderMayBeAlive, takeOver } = facts;
  const heldEpoch = memory?.epoch ?? 0;
  if (record === undefined) return { kind: "take", epoch: Math.max(1, heldEpoch), waits: false };
  const { epoch } = record;
  if (record.id === memory?.id) {
    const isOurs = epoch === heldEpoch || epoch === memory.taking;
    // A copy of this whole machine has the same memory. After a start of the machine a new epoch tells the two apart.
    if (isOurs)
      return isSameBoot ? { kind: "continue", epoch } : { kind: "take", epoch: epoch + 1, waits: false };
    // storage was put back to what it was before
    if (epoch < heldEpoch) return { kind: "take", epoch: heldEpoch, waits: false };
  }
  if (heldEpoch > 0 && !takeOver) return { kind: "refuse", holder: record };
  return { kind: "take", epoch: Math.max(epoch, heldEpoch) + 1, waits: holderMayBeAlive };
}
