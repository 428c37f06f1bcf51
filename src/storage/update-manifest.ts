import { isWalrustError } from "../errors.ts";
import { readManifest } from "./database-objects.ts";
import type { DatabaseKeys } from "./keys.ts";
import { formatManifest, type Manifest } from "./manifest.ts";
import type { CallOptions, PutCondition, Storage } from "./storage.ts";

/** Each failure means that somebody else has written in between: a daemon, a compaction, a `verify --fix`. */
const MAX_TRIES = 8;
const NONE = { manifest: undefined, etag: undefined };

/**
 * Reads the manifest, changes it, and writes it on condition that nobody wrote it in between; else the same again with what is there then.
 * @param change gets what is there: undefined without one, and for one that is damaged, which is as good as none. It may be called several
 * times. What it returns is written; undefined: nothing is.
 * @param options.isNew there was none a moment ago: the first try asks for nothing
 * @returns what the manifest is now, as far as `change` made it. Errors: those of storage; STORAGE_CONFLICT when others were faster each time; INTEGRITY_VERSION.
 */
export async function updateManifest(
  storage: Storage,
  keys: DatabaseKeys,
  change: (before: Manifest | undefined) => Promise<Manifest | undefined> | Manifest | undefined,
  { isNew = false, ...options }: CallOptions & { readonly isNew?: boolean } = {},
): Promise<Manifest | undefined> {
  for (let tries = 1; ; tries += 1) {
    const { manifest, etag } = isNew && tries === 1 ? NONE : await readManifest(storage, keys, options);
    const condition: PutCondition = etag === undefined ? { kind: "absent" } : { kind: "match", etag };
    const changed = await change(manifest);
    if (changed === undefined) return undefined;
    try {
      await storage.put(keys.manifest(), formatManifest(changed), { ...options, condition });
      return changed;
    } catch (error) {
      if (tries === MAX_TRIES || !isWalrustError(error, "STORAGE_CONFLICT")) throw error;
    }
  }
}
