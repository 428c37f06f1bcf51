import { WalrustError } from "../errors.ts";
import { hasChecksums } from "../ltx/format.ts";
import { databaseKeys } from "../storage/keys.ts";
import type { ManifestFile } from "../storage/manifest.ts";
import type { Catalog } from "./catalog.ts";
import { type CheckedFile, isSound, type SoundFile } from "./checked-file.ts";

/**
 * A file can be sound in itself and not the one that was published: of another database, or of another life of this
 * one. Where the manifest knows both other bytes and another database behind it, and no other file agrees with what
 * is in it, it counts as damaged; where one agrees that is not such a file itself, the manifest is wrong. Pure.
 */
export function withoutReplaced({ name, manifest }: Catalog, checked: readonly CheckedFile[]): CheckedFile[] {
  const keys = databaseKeys(name);
  const named = new Map(
    (manifest?.files ?? []).map((entry) => [keys.ltx(entry.minTxid, entry.maxTxid), entry]),
  );
  const isOther = (one: SoundFile): boolean => {
    const entry = named.get(one.file.key);
    if (entry === undefined || !hasChecksums(one.decoded.header)) return false;
    return entry.sha256 !== one.decoded.bodySha256 && entry.postApply !== one.decoded.trailer.postApply;
  };
  const witnesses = checked.filter(isSound).filter((one) => !isOther(one));
  return checked.map((one) => {
    const entry = named.get(one.file.key);
    if (!isSound(one) || entry === undefined || !isOther(one)) return one;
    return witnesses.some((other) => agrees(other, one))
      ? one
      : { file: one.file, error: replaced(one, entry) };
  });
}

/** It begins with, or ends with, the database that the other one leaves. */
function agrees({ file }: SoundFile, { file: one }: SoundFile): boolean {
  if (file.key === one.key) return false;
  if (file.minTxid === one.maxTxid + 1n) return file.preApply === one.postApply;
  return file.maxTxid === one.maxTxid && file.postApply === one.postApply;
}

/** Whether this is what withoutReplaced() says. The manifest's entry is then the only witness. */
export function isReplaced({ details }: WalrustError): boolean {
  return details["published_sha256"] !== undefined;
}

function replaced({ file }: SoundFile, { sha256 }: ManifestFile): WalrustError {
  return new WalrustError(
    "INTEGRITY_CHECKSUM",
    `${file.key} is not the file that the manifest names, and leaves another database behind`,
    {
      hint: "It was replaced: bring the right one back (object versions, another copy).",
      details: { object: file.key, published_sha256: sha256 },
    },
  );
}
