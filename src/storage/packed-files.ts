import type { ManifestFile } from "./manifest.ts";

/** TXIDs, SHA-256; then the other numbers, and whether it is a repair. */
const TXIDS_SIZE = 16;
const IDENTITY_SIZE = TXIDS_SIZE + 32;
const RECORD_SIZE = IDENTITY_SIZE + 6 * 8 + 1;
/** Room is made for so many more, or for a quarter more. */
const MORE_RECORDS = 8;

/**
 * Files of a manifest in a sixth of the memory that objects take: a database that is written to all the time has one a second, and there may be
 * hundreds of such databases.
 */
export class PackedFiles {
  #bytes = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** At the end, and in the place of one with the same TXIDs. */
  add(file: ManifestFile): void {
    const added = pack(file);
    this.#keep((at) => this.#bytes.compare(added, 0, TXIDS_SIZE, at, at + TXIDS_SIZE) !== 0);
    const offset = this.#length * RECORD_SIZE;
    if (offset === this.#bytes.length) this.#grow();
    this.#bytes.set(added, offset);
    this.#length += 1;
  }

  /** Those with the same TXIDs and the same SHA-256. */
  remove(files: readonly ManifestFile[]): void {
    const removed = new Set(files.map((file) => identityAt(pack(file), 0)));
    this.#keep((at) => !removed.has(identityAt(this.#bytes, at)));
  }

  /** In the order in which they were added. */
  unpack(): ManifestFile[] {
    return Array.from({ length: this.#length }, (_, index) =>
      unpack(this.#bytes.subarray(index * RECORD_SIZE, (index + 1) * RECORD_SIZE)),
    );
  }

  /** Not out of the pool that Buffer.concat() takes from, of which the least use keeps 8 KiB. */
  #grow(): void {
    const more = Math.max(MORE_RECORDS, this.#length >> 2);
    const bytes = Buffer.alloc((this.#length + more) * RECORD_SIZE);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }

  /** @param isKept of the record that begins at this offset */
  #keep(isKept: (at: number) => boolean): void {
    const endAt = this.#length * RECORD_SIZE;
    let keptAt = 0;
    for (let at = 0; at < endAt; at += RECORD_SIZE) {
      if (!isKept(at)) continue;
      if (keptAt < at) this.#bytes.copyWithin(keptAt, at, at + RECORD_SIZE);
      keptAt += RECORD_SIZE;
    }
    this.#length = keptAt / RECORD_SIZE;
    if (keptAt === 0) this.#bytes = Buffer.alloc(0);
  }
}

function pack(file: ManifestFile): Buffer {
  const record = Buffer.alloc(RECORD_SIZE);
  record.writeBigUInt64LE(file.minTxid, 0);
  record.writeBigUInt64LE(file.maxTxid, 8);
  record.write(file.sha256, TXIDS_SIZE, "hex");
  let at = IDENTITY_SIZE;
  for (const number of [file.sizeBytes, file.createdAtMs, file.timestampMs])
    at = record.writeDoubleLE(number, at);
  for (const checksum of [file.bodyChecksum, file.preApply, file.postApply])
    at = record.writeBigUInt64LE(checksum, at);
  record.writeUInt8(file.isRepair ? 1 : 0, at);
  return record;
}

function unpack(record: Buffer): ManifestFile {
  const numberAt = (index: number) => record.readDoubleLE(IDENTITY_SIZE + index * 8);
  const checksumAt = (index: number) => record.readBigUInt64LE(IDENTITY_SIZE + index * 8);
  return {
    minTxid: record.readBigUInt64LE(0),
    maxTxid: record.readBigUInt64LE(8),
    sha256: record.toString("hex", TXIDS_SIZE, IDENTITY_SIZE),
    ...{ sizeBytes: numberAt(0), createdAtMs: numberAt(1), timestampMs: numberAt(2) },
    ...{ bodyChecksum: checksumAt(3), preApply: checksumAt(4), postApply: checksumAt(5) },
    ...(record.readUInt8(RECORD_SIZE - 1) === 1 && { isRepair: true }),
  };
}

/** Of the record that begins at this offset. */
function identityAt(bytes: Buffer, at: number): string {
  return bytes.toString("latin1", at, at + IDENTITY_SIZE);
}
