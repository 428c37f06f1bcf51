import { LTX_HEADER_SIZE, LTX_TRAILER_SIZE } from "../ltx/format.ts";
import { decodeHeader } from "../ltx/header.ts";
import { decodeTrailer } from "../ltx/trailer.ts";
import { readRange } from "../storage/database-objects.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { assertNamed } from "./catalog.ts";
import { Chains } from "./chains.ts";
import type { Evidence } from "./evidence.ts";
import { inParallel } from "./in-parallel.ts";
import { isSnapshotFile, type RestoreFile } from "./restore-file.ts";

const READS_AT_ONCE = 16;

/**
 * Files that a wrong checksum in the manifest may keep from each other, or make two histories of: one that does
 * not follow what ends right before it, and several that end at one TXID with different databases. Pure.
 */
export function doubtfulFiles(files: readonly RestoreFile[]): RestoreFile[] {
  const chains = new Chains(files);
  const attached = new Set(chains.attached);
  const blocked = files.filter((file) => !isSnapshotFile(file) && !attached.has(file));
  const starts = new Set(blocked.map(({ minTxid }) => minTxid - 1n));
  const bases = chains.attached.filter(({ maxTxid }) => starts.has(maxTxid));
  const ends = new Set(bases.map(({ maxTxid }) => maxTxid));
  const split = chains.txids().map((txid) => chains.endings(txid));
  return [
    ...new Set([
      ...blocked.filter(({ minTxid }) => ends.has(minTxid - 1n)),
      ...bases,
      ...split.filter((endings) => endings.length > 1).flat(),
    ]),
  ];
}

/** Lets files speak for themselves: what their two ends say counts for more than the manifest. Errors: STORAGE_*; INTEGRITY_FORMAT. */
export async function learnEnds(
  storage: Storage,
  files: readonly RestoreFile[],
  evidence: Evidence,
  options: CallOptions,
): Promise<void> {
  await inParallel(files, READS_AT_ONCE, async (file) => {
    const range = { offset: 0, length: LTX_HEADER_SIZE };
    const header = decodeHeader(await readRange(storage, file.key, range, options), file.key);
    assertNamed(file, header);
    const end = { offset: Math.max(0, file.sizeBytes - LTX_TRAILER_SIZE), length: LTX_TRAILER_SIZE };
    evidence.learn(file, header, decodeTrailer(await readRange(storage, file.key, end, options)));
  });
}
