import { type EncodedLtx, type HeaderFields, LtxEncoder } from "../../../src/ltx/encoder.ts";
import type { Checksum } from "../../../src/ltx/format.ts";
import type { IndexSpill } from "../../../src/ltx/page-index.ts";
import type { Core } from "../../../src/wasm/core.ts";

export interface FileSpec {
  readonly pageSizeBytes: number;
  readonly commit: number;
  readonly noChecksum?: boolean;
  readonly pages: readonly { readonly pgno: number; readonly page: Uint8Array; readonly before?: Checksum }[];
  readonly fields?: Partial<HeaderFields>;
  /** By default what `applyToDatabaseChecksum(preApply, delta)` gives, or 0 without checksums. */
  readonly postApply?: Checksum;
  readonly spill?: IndexSpill;
  readonly batchSize?: number;
}

export interface EncodedFile extends EncodedLtx {
  readonly bytes: Buffer;
  readonly delta: bigint;
  readonly newChecksums: readonly Checksum[];
  readonly writes: number;
}

const CHECKSUM_FLAG = 1n << 63n;

const SNAPSHOT_FIELDS: HeaderFields = {
  minTxid: 1n,
  maxTxid: 1n,
  timestampMs: 1_767_323_045_678,
  preApply: 0n,
  walOffset: 0n,
  walSize: 0n,
  walSalt1: 0,
  walSalt2: 0,
  nodeId: 0x0102030405060708n,
};

/** Encodes pages that are all here to a file that is all there. The sink keeps the encoder waiting now and then. */
export async function encodeFile(core: Core, spec: FileSpec): Promise<EncodedFile> {
  const written: Buffer[] = [];
  const sink = {
    write(bytes: Uint8Array) {
      written.push(Buffer.from(bytes));
      return written.length % 2 === 0 ? Promise.resolve() : undefined;
    },
  };
  const { pageSizeBytes, commit, noChecksum = false } = spec;
  const encoder = await LtxEncoder.open({
    core,
    pageSizeBytes,
    commit,
    noChecksum,
    sink,
    ...(spec.spill && { spill: spec.spill }),
  });
  const batchSize = Math.min(spec.batchSize ?? encoder.batchCapacity, encoder.batchCapacity);
  const newChecksums: Checksum[] = [];
  for (let first = 0; first < spec.pages.length; first += batchSize) {
    const batch = spec.pages.slice(first, first + batchSize);
    const before = new DataView(encoder.oldChecksums.buffer, encoder.oldChecksums.byteOffset);
    batch.forEach(({ pgno, page, before: checksum = 0n }, row) => {
      encoder.input.set(page, row * pageSizeBytes);
      encoder.setPage(row, pgno);
      before.setBigUint64(row * 8, checksum, true);
    });
    await encoder.encode(batch.length);
    const after = new DataView(encoder.newChecksums.buffer, encoder.newChecksums.byteOffset);
    batch.forEach((_, row) => {
      newChecksums.push(after.getBigUint64(row * 8, true));
    });
  }
  const fields = { ...SNAPSHOT_FIELDS, ...spec.fields };
  const delta = encoder.databaseChecksumDelta;
  const postApply = spec.postApply ?? (noChecksum ? 0n : (fields.preApply ^ delta) | CHECKSUM_FLAG);
  const encoded = await encoder.finish(fields, postApply);
  const bytes = Buffer.concat([encoded.header, ...written]);
  return { ...encoded, bytes, delta, newChecksums, writes: written.length };
}
