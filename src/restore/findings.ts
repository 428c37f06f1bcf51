import type { ErrorCode } from "../errors.ts";
import type { Txid } from "../ltx/format.ts";
import { databaseKeys } from "../storage/keys.ts";
import type { Catalog } from "./catalog.ts";
import { chainDrafts, headDrafts } from "./chain-findings.ts";
import { Chains, restorableTxids } from "./chains.ts";
import { type CheckedFile, isSound } from "./checked-file.ts";
import { manifestDrafts } from "./manifest-findings.ts";
import type { RestoreFile } from "./restore-file.ts";

/** Something that is wrong with a backup. */
export interface Finding {
  /**
   * `missing`: the manifest names an object that is gone. `damaged`: an object is not what it should be.
   * `hole`: TXIDs are in no object. `chain`: an object does not follow those before it. `manifest`: manifest
   * and objects disagree.
   */
  readonly kind: "missing" | "damaged" | "hole" | "chain" | "manifest";
  readonly code: ErrorCode;
  /** Key of the object that is to blame, or that shows it. */
  readonly object: string;
  readonly message: string;
  /** The restore points that it costs, ascending. */
  readonly lostTxids: readonly Txid[];
}

export interface FindingDraft extends Omit<Finding, "lostTxids"> {
  /** What would make up for it: with it in place, the points that it costs could be reached. */
  readonly standIn?: RestoreFile;
  /** A point of which it is not clear what it is. */
  readonly unclearTxid?: Txid;
}

/** What reading all files of a catalog found, and what it costs, by object. Pure. */
export function findingsOf(catalog: Catalog, checked: readonly CheckedFile[]): Finding[] {
  const drafts = [
    ...unusableDraft(catalog),
    ...catalog.missing.map(missingDraft),
    ...checked.flatMap(damagedDraft),
    ...chainDrafts(catalog, checked),
    ...headDrafts(catalog),
    ...manifestDrafts(catalog, checked),
  ];
  const sound = checked.filter(isSound).map(({ file }) => file);
  return withCosts(drafts, sound).sort((a, b) => (a.object < b.object ? -1 : 1));
}

/** A manifest that cannot be used is a finding like any other: the objects are still looked at. */
function unusableDraft({ name, manifestError: error }: Catalog): FindingDraft[] {
  if (error === undefined) return [];
  const object = databaseKeys(name).manifest();
  return [{ kind: "damaged", code: error.code, object, message: error.message }];
}

function missingDraft(file: RestoreFile): FindingDraft {
  const message = "the manifest names it, and it is gone";
  return { kind: "missing", code: "INTEGRITY_MISSING", object: file.key, message, standIn: file };
}

function damagedDraft(checked: CheckedFile): FindingDraft[] {
  if (isSound(checked)) return [];
  const { file, error } = checked;
  return [{ kind: "damaged", code: error.code, object: file.key, message: error.message, standIn: file }];
}

/** So large that a chain takes it only where there is no other way. */
const LAST_RESORT_BYTES = 2 ** 52;

/** A lost point is charged to what stands in for something on the way to it. */
function withCosts(drafts: readonly FindingDraft[], sound: readonly RestoreFile[]): Finding[] {
  const standIns = new Map<RestoreFile, FindingDraft>();
  for (const draft of drafts) {
    if (draft.standIn) standIns.set({ ...draft.standIn, sizeBytes: LAST_RESORT_BYTES }, draft);
  }
  const restorable = new Set(restorableTxids(sound));
  const whole = new Chains([...sound, ...standIns.keys()]);
  const lost = new Map<FindingDraft, Txid[]>(drafts.map((draft) => [draft, []]));
  for (const txid of whole.txids()) {
    if (restorable.has(txid)) continue;
    for (const file of whole.chainTo(txid)) {
      const draft = standIns.get(file);
      if (draft) lost.get(draft)?.push(txid);
    }
  }
  return drafts.map((draft) => {
    const { kind, code, object, message, unclearTxid } = draft;
    const lostTxids = lost.get(draft) ?? [];
    return { kind, code, object, message, lostTxids: unclearTxid === undefined ? lostTxids : [unclearTxid] };
  });
}
