import type { Txid } from "../ltx/format.ts";
import { manifestFileOf } from "../storage/describe-file.ts";
import { databaseKeys } from "../storage/keys.ts";
import type { Manifest, ManifestFile } from "../storage/manifest.ts";
import { heldBy } from "./catalog.ts";
import { usableFiles } from "./checked-file.ts";
import { leftoversOf } from "./leftovers.ts";
import { isReplaced } from "./replaced-files.ts";
import type { VerifyReport } from "./verify.ts";

export interface RebuildFacts {
  readonly report: VerifyReport;
  /** What stands in storage by now: others write while every byte is read. */
  readonly now: Manifest | undefined;
  readonly listed: ReadonlySet<string>;
  readonly nowMs: number;
}

/**
 * The manifest that the objects ask for. It names the sound objects that lead to a state, each by what is in it.
 *
 * What is lost is *not* named any more, so that the manifest holds what exists; but it is not forgotten:
 * `current_txid` stays at the highest TXID that was ever known, so that a lost head is missed by every restore and
 * every verify until a newer snapshot takes its place. A hole in the middle shows in the objects themselves:
 * incrementals behind it have no base. They lead nowhere, so they are not named either; verify goes on reporting
 * them until a newer snapshot covers them, and then they are leftovers that the next prune takes.
 *
 * An object that was replaced by one that is sound in itself stays named as it was published: nothing else tells
 * that it is another one.
 *
 * What others did since the files were read stands: what they named stays as they named it, and what they named
 * no more is not named again. Undefined: there is nothing that a manifest could be made of. Pure.
 */
export function rebuiltManifest({ report, now, listed, nowMs }: RebuildFacts): Manifest | undefined {
  const { name, catalog, soundFiles, damagedFiles } = report;
  const [nowByKey, thenByKey] = [byKey(name, now), byKey(name, catalog.manifest)];
  const isOthers = (key: string) => !isSame(nowByKey.get(key), thenByKey.get(key));
  const left = new Set(
    [catalog.manifest, now]
      .flatMap((manifest) => leftoversOf(manifest, catalog.present))
      .map(({ key }) => key),
  );

  const files = new Map<string, ManifestFile>();
  for (const { file, decoded } of usableFiles(soundFiles)) {
    const isPruned = now !== undefined && thenByKey.has(file.key) && !nowByKey.has(file.key);
    if (isPruned || left.has(file.key) || !listed.has(file.key)) continue;
    const createdAtMs = thenByKey.get(file.key)?.createdAtMs ?? file.lastModifiedMs ?? nowMs;
    files.set(file.key, manifestFileOf(decoded, createdAtMs));
  }
  const gone = new Set(catalog.missing.map(({ key }) => key));
  const replaced = new Set(damagedFiles.filter(({ error }) => isReplaced(error)).map(({ file }) => file.key));
  for (const [key, entry] of nowByKey) {
    const cameBack = gone.has(key) && listed.has(key);
    if (isOthers(key) || cameBack || replaced.has(key)) files.set(key, entry);
  }
  return whole({ report, now, nowMs }, [...files.values()]);
}

function whole(
  { report, now, nowMs }: Pick<RebuildFacts, "report" | "now" | "nowMs">,
  files: readonly ManifestFile[],
): Manifest | undefined {
  const then = report.catalog.manifest;
  const newest = report.soundFiles.toSorted((a, b) => (a.file.maxTxid < b.file.maxTxid ? 1 : -1))[0];
  const pageSizeBytes = newest?.decoded.header.pageSizeBytes ?? now?.pageSizeBytes ?? then?.pageSizeBytes;
  if (pageSizeBytes === undefined) return undefined;
  const ends = files.map(({ maxTxid }) => maxTxid);
  const currentTxid = largest([
    then?.currentTxid ?? 0n,
    now?.currentTxid ?? 0n,
    headOfNames(report),
    ...ends,
  ]);
  const told = [now, then].find((manifest) => manifest?.currentTxid === currentTxid)?.lastChecksum;
  const lastChecksum = files.find(({ maxTxid }) => maxTxid === currentTxid)?.postApply ?? told ?? 0n;
  return {
    ...{ name: report.name, pageSizeBytes, currentTxid, lastChecksum, updatedAtMs: nowMs },
    files,
  };
}

/**
 * Names of damaged objects count too: nothing else tells of a head that was published behind the last manifest.
 * Of those that were copied or renamed by hand it is what they say they hold that counts, as far as some name
 * goes.
 */
function headOfNames({ catalog, damagedFiles }: VerifyReport): Txid {
  const held = new Map(damagedFiles.map(({ file, error }) => [file.key, heldBy(error)]));
  const highest = largest(catalog.present.map(({ maxTxid }) => maxTxid));
  return largest(
    catalog.present.map(({ key, maxTxid }) => held.get(key) ?? maxTxid).filter((txid) => txid <= highest),
  );
}

function largest(txids: readonly Txid[]): Txid {
  return txids.reduce((head, txid) => (txid > head ? txid : head), 0n);
}

function byKey(name: string, manifest: Manifest | undefined): ReadonlyMap<string, ManifestFile> {
  const keys = databaseKeys(name);
  return new Map((manifest?.files ?? []).map((file) => [keys.ltx(file.minTxid, file.maxTxid), file]));
}

function isSame(a: ManifestFile | undefined, b: ManifestFile | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const fields = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof ManifestFile>;
  return [...fields].every((field) => a[field] === b[field]);
}
