import { isWalrustError, type WalrustError } from "../errors.ts";
import { type DecodedLtx, decodeLtx } from "../ltx/decoder.ts";
import { hasChecksums, isRepair, type LtxHeader } from "../ltx/format.ts";
import { checksumAfter } from "../ltx/stated-checksum.ts";
import type { Storage } from "../storage/storage.ts";
import type { Core } from "../wasm/core.ts";
import { assertNamed } from "./catalog.ts";
import { Chains } from "./chains.ts";
import { Prefetch } from "./prefetch.ts";
import type { RestoreFile } from "./restore-file.ts";

/** A file after every byte of it was read: what is in it, or what is wrong with it. */
export type CheckedFile = SoundFile | DamagedFile;

export interface SoundFile {
  readonly file: RestoreFile;
  readonly decoded: DecodedLtx;
}

export interface DamagedFile {
  readonly file: RestoreFile;
  readonly error: WalrustError;
}

export function isSound(checked: CheckedFile): checked is SoundFile {
  return "decoded" in checked;
}

/** Those that lead to a state, from a snapshot on; the others follow nothing that is sound. */
export function usableFiles(sound: readonly SoundFile[]): SoundFile[] {
  const attached = new Set(new Chains(sound.map(({ file }) => file)).attached);
  return sound.filter(({ file }) => attached.has(file));
}

export interface CheckOptions {
  readonly parallel: number;
  readonly signal?: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
  readonly onFile?: () => void;
}

/**
 * Reads files whole and proves each for itself. A damaged one is a result; a storage that does not answer is
 * none, and is thrown, as is an object that vanished since it was listed (STORAGE_NOT_FOUND).
 */
export async function checkFiles(
  storage: Storage,
  core: Core,
  files: readonly RestoreFile[],
  options: CheckOptions,
): Promise<CheckedFile[]> {
  const { signal, parallel } = options;
  const prefetch = new Prefetch(storage, files, { parallel, ...(signal && { signal }) });
  const checked: CheckedFile[] = [];
  try {
    for (const file of files) {
      checked.push(await checkFile(core, file, prefetch, options));
      options.onFile?.();
    }
  } finally {
    await prefetch.close();
  }
  return checked;
}

async function checkFile(
  core: Core,
  file: RestoreFile,
  prefetch: Prefetch,
  options: CheckOptions,
): Promise<CheckedFile> {
  const { signal, onBytes } = options;
  const onHeader = (header: LtxHeader) => assertNamed(file, header);
  try {
    const source = counted(prefetch.take(file), onBytes);
    const decoded = await decodeLtx(
      core,
      source,
      { objectName: file.key, onHeader, ...(signal && { signal }) },
      () => {},
    );
    return { file: { ...file, ...factsOf(decoded) }, decoded };
  } catch (error) {
    if (isWalrustError(error, "INTEGRITY_FORMAT", "INTEGRITY_CHECKSUM")) return { file, error };
    throw error;
  }
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  onBytes?: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    onBytes?.(piece.length);
    yield piece;
  }
}

/** What the file itself says, in place of what the manifest says of it. */
function factsOf({ header, trailer, bodySha256 }: DecodedLtx) {
  return {
    timestampMs: header.timestampMs,
    isRepair: isRepair(header),
    preApply: hasChecksums(header) ? header.preApply : undefined,
    postApply: checksumAfter(header, trailer),
    bodySha256,
  };
}
