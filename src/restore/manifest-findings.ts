import { formatChecksum } from "../ltx/checksum.ts";
import type { StoredManifest } from "../storage/database-objects.ts";
import { databaseKeys } from "../storage/keys.ts";
import type { ManifestFile } from "../storage/manifest.ts";
import type { Catalog } from "./catalog.ts";
import { type CheckedFile, isSound, type SoundFile, usableFiles } from "./checked-file.ts";
import type { FindingDraft } from "./findings.ts";
import { isMergeOf, leftoversOf } from "./leftovers.ts";
import { settledBy } from "./settled.ts";

/**
 * Where the manifest says otherwise than the sound objects. Objects that its writer may still be about to name are no finding.
 */
export function manifestDrafts(catalog: Catalog, checked: readonly CheckedFile[]): FindingDraft[] {
  const { name, manifest } = catalog;
  if (manifest === undefined) return [];
  const keys = databaseKeys(name);
  const named = new Map(manifest.files.map((entry) => [keys.ltx(entry.minTxid, entry.maxTxid), entry]));
  const sound = checked.filter(isSound);
  const leftovers = new Set(leftoversOf(manifest, catalog.present).map(({ key }) => key));
  const usable = new Set(usableFiles(sound).map(({ file }) => file.key));
  const incrementals = manifest.files.filter(({ minTxid }) => minTxid > 1n);
  const isSettled = settledBy(manifest);
  const drafts = sound.flatMap((one) => {
    const { key } = one.file;
    const entry = named.get(key);
    if (entry) return differencesOf(one, entry);
    const mayBeUnnamed =
      !isSettled(one.file) || leftovers.has(key) || !usable.has(key) || isMergeOf(incrementals, one.file);
    return mayBeUnnamed ? [] : [finding(key, "the manifest does not name it")];
  });
  return [...drafts, ...wholeDrafts(keys.manifest(), manifest, sound)];
}

function differencesOf({ file, decoded }: SoundFile, entry: ManifestFile): FindingDraft[] {
  const { header, trailer, sizeBytes, bodySha256 } = decoded;
  const pairs: ReadonlyArray<readonly [what: string, manifest: unknown, object: unknown]> = [
    ["size", entry.sizeBytes, sizeBytes],
    ["timestamp", entry.timestampMs, header.timestampMs],
    ["checksum", formatChecksum(entry.bodyChecksum), formatChecksum(header.bodyChecksum)],
    ["sha256", entry.sha256, bodySha256],
    ["pre_apply", formatChecksum(entry.preApply), formatChecksum(header.preApply)],
    ["post_apply", formatChecksum(entry.postApply), formatChecksum(trailer.postApply)],
  ];
  const differing = pairs.filter(([, manifest, object]) => manifest !== object);
  if (differing.length === 0) return [];
  const list = differing.map(([what, manifest, object]) => `${what} ${manifest}, not ${object}`).join("; ");
  return [finding(file.key, `the manifest says of it: ${list}`)];
}

/** What the manifest says of the database as a whole. */
function wholeDrafts(key: string, manifest: StoredManifest, sound: readonly SoundFile[]): FindingDraft[] {
  const newest = sound.filter(({ file }) => file.maxTxid === manifest.currentTxid);
  const drafts: FindingDraft[] = [];
  const [{ decoded } = {}] = newest;
  if (decoded === undefined) return drafts;
  if (manifest.pageSizeBytes !== decoded.header.pageSizeBytes) {
    drafts.push(finding(key, `page_size ${manifest.pageSizeBytes}, not ${decoded.header.pageSizeBytes}`));
  }
  if (newest.every(({ decoded: { trailer } }) => trailer.postApply !== manifest.lastChecksum)) {
    drafts.push(
      finding(
        key,
        `last_checksum ${formatChecksum(manifest.lastChecksum)} is that of no file that ends there`,
      ),
    );
  }
  return drafts;
}

function finding(object: string, message: string): FindingDraft {
  return { kind: "manifest", code: "INTEGRITY_CHAIN", object, message };
}
