import type { Txid } from "../ltx/format.ts";
import type { Manifest, ManifestFile } from "../storage/manifest.ts";

/** What a compaction makes of a manifest. */
export interface ManifestChange {
  readonly name: string;
  readonly pageSizeBytes: number;
  /** The highest TXID that is known, where no manifest tells. */
  readonly headTxid: Txid;
  /** Files that it made, or found unnamed and proved. */
  readonly added: readonly ManifestFile[];
  /** Names (`fileId`) of what goes. */
  readonly removed: ReadonlySet<string>;
  /** Names of what the plan rests on, as far as the manifest had them when it was made. */
  readonly premises: ReadonlySet<string>;
  readonly updatedAtMs: number;
}

/**
 * The manifest after a compaction; what others have added meanwhile stays in it. Pure.
 * @param before as it is now; undefined without one
 * @returns `overtaken` where somebody else has taken away what the plan rests on: then it must be made anew
 */
export function newManifest(before: Manifest | undefined, change: ManifestChange): Manifest | "overtaken" {
  const { name, pageSizeBytes, headTxid, added, removed, premises, updatedAtMs } = change;
  const known = before?.files ?? [];
  const named = new Set(known.map(fileId));
  if ([...premises].some((id) => !named.has(id))) return "overtaken";
  const renewed = new Set(added.map(fileId));
  const files = [
    ...known.filter((file) => !removed.has(fileId(file)) && !renewed.has(fileId(file))),
    ...added,
  ];
  const currentTxid =
    before === undefined ? headTxid : highest([before.currentTxid, ...added.map(({ maxTxid }) => maxTxid)]);
  const told = before?.currentTxid === currentTxid ? before.lastChecksum : undefined;
  const lastChecksum = told ?? added.find(({ maxTxid }) => maxTxid === currentTxid)?.postApply ?? 0n;
  return {
    ...{ name, pageSizeBytes: before?.pageSizeBytes ?? pageSizeBytes, updatedAtMs, files },
    ...{ currentTxid, lastChecksum },
  };
}

function highest(txids: readonly Txid[]): Txid {
  return txids.reduce((most, txid) => (txid > most ? txid : most), 0n);
}

export function fileId({ minTxid, maxTxid }: Pick<ManifestFile, "minTxid" | "maxTxid">): string {
  return `${minTxid}-${maxTxid}`;
}
