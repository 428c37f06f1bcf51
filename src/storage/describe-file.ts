import { isRepair, type LtxHeader, type LtxTrailer } from "../ltx/format.ts";
import type { ManifestFile } from "./manifest.ts";

/** What is known of an LTX file that was written, or read to its end. */
export interface DescribedLtx {
  readonly header: LtxHeader;
  readonly trailer: Pick<LtxTrailer, "postApply">;
  readonly sizeBytes: number;
  /** 64 hex digits. */
  readonly bodySha256: string;
}

/** What a manifest says of it. `createdAtMs`: when the object was made. */
export function manifestFileOf(ltx: DescribedLtx, createdAtMs: number): ManifestFile {
  const { minTxid, maxTxid, timestampMs, bodyChecksum, preApply } = ltx.header;
  return {
    ...{ minTxid, maxTxid, sizeBytes: ltx.sizeBytes, createdAtMs, timestampMs, bodyChecksum },
    ...{ sha256: ltx.bodySha256, preApply, postApply: ltx.trailer.postApply },
    ...(isRepair(ltx.header) && { isRepair: true }),
  };
}
