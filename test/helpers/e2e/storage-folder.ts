import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseFilename, type TxidRange } from "../../../src/ltx/filename.ts";
import { filesIn } from "../../../src/shadow/local-files.ts";
import { parseManifest } from "../../../src/storage/manifest.ts";
import type { Scene } from "./scene.ts";

export interface StoredLtx extends TxidRange {
  readonly file: string;
  readonly sizeBytes: number;
}

/** The LTX files of a database, by max TXID, a snapshot before an incremental that ends at the same. */
export function ltxFiles(at: Scene, name: string): StoredLtx[] {
  return filesIn(join(at.storage, name))
    .flatMap((file): StoredLtx[] => {
      const range = parseFilename(basename(file));
      return range === undefined ? [] : [{ ...range, file, sizeBytes: lstatSync(file).size }];
    })
    .sort((a, b) => Number(a.maxTxid - b.maxTxid) || Number(a.minTxid - b.minTxid));
}

export function headTxid(at: Scene, name: string): bigint {
  return ltxFiles(at, name).at(-1)?.maxTxid ?? 0n;
}

/** The TXID up to which the manifest tells of the database; 0 without a manifest. */
export function indexedTxid(at: Scene, name: string): bigint {
  const path = join(at.storage, name, "manifest.json");
  if (!existsSync(path)) return 0n;
  return parseManifest(readFileSync(path), path).currentTxid;
}

/** Everything below a folder, as `path size mtime`: equal before and after means that nothing was touched. */
export function tree(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { size, mtimeMs } = lstatSync(path);
      return entry.isFile() ? `${path} ${size} ${mtimeMs}` : path;
    })
    .sort();
}

export function bytesStored(files: readonly StoredLtx[]): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}
