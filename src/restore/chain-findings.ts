import { snapshotPageCount, type Txid } from "../ltx/format.ts";
import { databaseKeys } from "../storage/keys.ts";
import type { Catalog } from "./catalog.ts";
import { type CheckedFile, isSound, type SoundFile } from "./checked-file.ts";
import type { FindingDraft } from "./findings.ts";
import { leftoversOf } from "./leftovers.ts";
import { bridges } from "./litestream-levels.ts";
import { isSnapshotFile, type RestoreFile } from "./restore-file.ts";

/**
 * Every sound incremental must follow a file, with the checksum and the page size that the one before ends
 * with. One that is damaged or missing, and so has a finding of its own, is believed to fit.
 */
export function chainDrafts(catalog: Catalog, checked: readonly CheckedFile[]): FindingDraft[] {
  const endings = new Map<Txid, Ending[]>();
  for (const one of [...checked, ...catalog.missing.map((file) => ({ file }))]) {
    const others = endings.get(one.file.maxTxid) ?? [];
    endings.set(one.file.maxTxid, [...others, one]);
  }
  const leftovers = new Set(leftoversOf(catalog.manifest, catalog.present).map(({ key }) => key));
  const isBridged = bridges(catalog.present);
  const follows = checked.filter(isSound).flatMap((one) => {
    if (isSnapshotFile(one.file)) return [];
    const before = endings.get(one.file.minTxid - 1n) ?? [];
    if (before.some((ending) => fits(one, ending))) return [];
    if (before.length > 0) return [misfit(one, before)];
    return leftovers.has(one.file.key) || isBridged(one.file) ? [] : [hole(one, endings)];
  });
  return [...follows, ...[...endings.values()].flatMap(differing)];
}

/** A file, with its bytes where they were read and sound. */
type Ending = { readonly file: RestoreFile } | SoundFile;

function fits({ file, decoded }: SoundFile, before: Ending): boolean {
  const { postApply } = before.file;
  if ("decoded" in before && before.decoded.header.pageSizeBytes !== decoded.header.pageSizeBytes)
    return !file.preApply && isWhole(decoded);
  return !postApply || !file.preApply || postApply === file.preApply;
}

/** It has every page of its database, whatever was there before: so a chain begins anew within a level of the Litestream layout. */
function isWhole({ header: { commit, pageSizeBytes }, pageCount }: SoundFile["decoded"]): boolean {
  return pageCount === snapshotPageCount(commit, pageSizeBytes);
}

function misfit({ file }: SoundFile, before: readonly Ending[]): FindingDraft {
  const keys = before.map((ending) => ending.file.key).join(", ");
  return {
    kind: "chain",
    code: "INTEGRITY_CHAIN",
    object: file.key,
    message: `it was made for another database than the one that ${keys} leaves`,
    standIn: standInBefore(file),
  };
}

function hole({ file }: SoundFile, endings: ReadonlyMap<Txid, unknown>): FindingDraft {
  let before = 0n;
  for (const txid of endings.keys()) if (txid < file.minTxid && txid > before) before = txid;
  return {
    kind: "hole",
    code: "INTEGRITY_MISSING",
    object: file.key,
    message: `TXIDs ${before + 1n} to ${file.minTxid - 1n} before it are in no object`,
    standIn: standInBefore(file),
  };
}

/** Several files that end at one TXID must leave the same database. */
function differing(endings: readonly Ending[]): FindingDraft[] {
  const sound = endings.filter((ending) => "decoded" in ending).filter(({ file }) => file.postApply);
  const [first, ...others] = sound.sort((a, b) => (a.file.key < b.file.key ? -1 : 1));
  return others
    .filter(({ file }) => file.postApply !== first?.file.postApply)
    .map(({ file }) => ({
      kind: "chain",
      code: "INTEGRITY_CHAIN",
      object: file.key,
      message: `it ends at TXID ${file.maxTxid} with another database than ${first?.file.key}`,
      unclearTxid: file.maxTxid,
    }));
}

/** A manifest may know of TXIDs that no file holds any more. */
export function headDrafts(catalog: Catalog): FindingDraft[] {
  const { name, manifest, present, missing, headTxid } = catalog;
  const last = [...present, ...missing].reduce((head, { maxTxid }) => (maxTxid > head ? maxTxid : head), 0n);
  if (manifest === undefined || last >= headTxid) return [];
  const object = databaseKeys(name).manifest();
  const message = `it names TXID ${headTxid}, but TXIDs ${last + 1n} to ${headTxid} are in no object`;
  const standIn = { ...UNKNOWN, key: object, minTxid: 1n, maxTxid: headTxid };
  return [{ kind: "hole", code: "INTEGRITY_MISSING", object, message, standIn }];
}

function standInBefore(file: RestoreFile): RestoreFile {
  return { ...UNKNOWN, key: file.key, minTxid: 1n, maxTxid: file.minTxid - 1n, postApply: file.preApply };
}

const UNKNOWN = {
  sizeBytes: 0,
  lastModifiedMs: undefined,
  timestampMs: undefined,
  isRepair: undefined,
  preApply: undefined,
  postApply: undefined,
  bodySha256: undefined,
} as const;
