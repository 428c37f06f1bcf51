import type { Checksum } from "../ltx/format.ts";

/**
 * Page 1 of a replica differs from the source's in ten bytes (SQLite file format, section 1.3):
 *
 *  18  2  write and read version: 1, so that readers use rollback-journal locking. In WAL mode they would need
 *         a -shm, and keep what they have cached while pages change below them.
 *  24  4  file change counter: our own, another at every apply. It is what readers notice a change by; a commit
 *         to a log need not touch page 1 at all.
 *  92  4  version-valid-for: equal to the counter where the source's is, so that the size at offset 28 counts
 *         exactly where it counts there.
 *
 * The source's bytes are kept, so that the source's database checksum can be proved on the replica.
 */
const FIELDS = [
  { at: 18, length: 2 },
  { at: 24, length: 4 },
  { at: 92, length: 4 },
] as const;
/** Bytes. */
export const SOURCE_FIELDS_SIZE = 10;
const VERSIONS = { at: 0, length: 2 };
const COUNTER_AT = 2;
const VALID_FOR_AT = 6;
const ROLLBACK_VERSION = 1;

export interface PageOne {
  /** The source's ten bytes, 20 hex digits. */
  readonly sourceFields: string;
  /** Our change counter, u32. */
  readonly counter: number;
  /** Of the source's page. */
  readonly checksum: Checksum;
}

export function sourceFieldsOf(page: Uint8Array): string {
  return gather(page).toString("hex");
}

/** Any that is another than before. */
export function nextCounter(counter: number): number {
  return (counter + 1) >>> 0;
}

/** The change counter that stands in a page. */
export function counterOf(page: Uint8Array): number {
  return gather(page).readUInt32BE(COUNTER_AT);
}

/** Makes the source's page 1 the replica's. */
export function disguise(page: Uint8Array, pageOne: Omit<PageOne, "checksum">): void {
  scatter(page, disguisedFields(pageOne));
}

/** Makes the replica's page 1 the source's. */
export function undisguise(page: Uint8Array, { sourceFields }: PageOne): void {
  scatter(page, Buffer.from(sourceFields, "hex"));
}

/** Whether the ten bytes are those that we wrote. */
export function isDisguised(page: Uint8Array, pageOne: PageOne): boolean {
  return gather(page).equals(disguisedFields(pageOne));
}

/** Whether SQLite would use rollback-journal locking. */
export function isRollbackMode(page: Uint8Array): boolean {
  const fields = gather(page).subarray(VERSIONS.at, VERSIONS.length);
  return fields.every((version) => version === ROLLBACK_VERSION);
}

function disguisedFields({ sourceFields, counter }: Omit<PageOne, "checksum">): Buffer {
  const source = Buffer.from(sourceFields, "hex");
  const isSizeValid = source.readUInt32BE(COUNTER_AT) === source.readUInt32BE(VALID_FOR_AT);
  const fields = Buffer.alloc(SOURCE_FIELDS_SIZE, ROLLBACK_VERSION);
  fields.writeUInt32BE(counter, COUNTER_AT);
  fields.writeUInt32BE(isSizeValid ? counter : (counter ^ 1) >>> 0, VALID_FOR_AT);
  return fields;
}

function gather(page: Uint8Array): Buffer {
  return Buffer.concat(FIELDS.map(({ at, length }) => page.subarray(at, at + length)));
}

function scatter(page: Uint8Array, fields: Uint8Array): void {
  let from = 0;
  for (const { at, length } of FIELDS) {
    page.set(fields.subarray(from, from + length), at);
    from += length;
  }
}
