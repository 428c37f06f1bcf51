import type { EncodedLtx, HeaderFields, LtxEncoder } from "../ltx/encoder.ts";
import type { Checksum, Txid } from "../ltx/format.ts";
import { stateChecksum } from "../ltx/stated-checksum.ts";
import { databaseKeys, type LayoutName, type LtxKeys } from "../storage/keys.ts";
import { litestreamKeys } from "../storage/litestream-keys.ts";
import type { Storage } from "../storage/storage.ts";
import type { TxidUnit } from "./pending-frames.ts";

/** What sets one layout apart from the other for whoever writes a copy (formats.md, sections 4 and 5). */
export interface CopyLayout {
  readonly name: LayoutName;
  readonly keys: LtxKeys;
  readonly txidUnit: TxidUnit;
  /** The manifest names the files. */
  readonly hasManifest: boolean;
  /** Files carry the database checksums in the fields that LTX has for them. */
  readonly hasChecksums: boolean;
  /** The time of the object is the time of the last commit in it: a point in time goes by that. */
  readonly isDated: boolean;
  /** The files that a chain begins with, in the order in which they are published. */
  firstFiles(txid: Txid, how: { readonly changesPageSize: boolean }): readonly FirstFile[];
}

export interface FirstFile {
  readonly minTxid: Txid;
  /** The header says where in the source log the state lies. */
  readonly isPlaced: boolean;
}

/** Errors: CONFIG_INVALID for a name that can't be one. */
export function copyLayout(layout: LayoutName, name: string, storage: Pick<Storage, "url">): CopyLayout {
  if (layout === "litestream") return litestreamLayout(name, storage);
  return {
    name: layout,
    keys: databaseKeys(name),
    txidUnit: "commit",
    hasManifest: true,
    hasChecksums: true,
    isDated: false,
    firstFiles: () => [{ minTxid: 1n, isPlaced: false }],
  };
}

/*
 * Learned by experiment with Litestream 0.5.17. `litestream replicate` goes on behind the newest file of level 0, which it looks for under
 * the name of one TXID and whose WAL offset it wants to be 32 or more: so each publication takes one TXID, as its own do. A chain that begins
 * anew is in level 0 too, with all pages: applied to whatever base it gives the right database, and there is never a TXID missing in that
 * level, which its merging could not get over. It is in level 9 as well, where a restore begins: last, so that a death in between leaves no TXID
 * out of level 0; but first where the pages have another size, since such a file cannot be applied to the ones before it (nor merged with them).
 */
function litestreamLayout(name: string, { url }: Pick<Storage, "url">): CopyLayout {
  return {
    name: "litestream",
    keys: litestreamKeys(name, url.startsWith("file:") ? "folder" : "bucket"),
    txidUnit: "publication",
    hasManifest: false,
    hasChecksums: false,
    isDated: true,
    firstFiles(txid, { changesPageSize }) {
      const live = { minTxid: txid, isPlaced: true };
      if (txid === 1n) return [live];
      const snapshot = { minTxid: 1n, isPlaced: false };
      return changesPageSize ? [snapshot, live] : [live, snapshot];
    },
  };
}

/** Ends a file. @param fields with the pre-apply checksum that it has where files carry checksums */
export function finishFile(
  { hasChecksums }: Pick<CopyLayout, "hasChecksums">,
  encoder: LtxEncoder,
  fields: HeaderFields,
  postApply: Checksum,
): Promise<EncodedLtx> {
  return hasChecksums
    ? encoder.finish(fields, postApply)
    : encoder.finish({ ...fields, ...stateChecksum(postApply) }, 0n);
}
