import type { Clock } from "../clock.ts";
import { WalrustError } from "../errors.ts";
import { listFiles } from "../storage/database-objects.ts";
import { databaseKeys } from "../storage/keys.ts";
import { formatManifest, type Manifest } from "../storage/manifest.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { updateManifest } from "../storage/update-manifest.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import { readCatalog } from "./catalog.ts";
import type { Finding } from "./findings.ts";
import { rebuiltManifest } from "./rebuilt-manifest.ts";
import { type VerifyOptions, type VerifyReport, verify } from "./verify.ts";

export interface FixDependencies {
  readonly storage: Storage;
  readonly cores: CorePool;
  readonly clock: Clock;
}

export type ManifestFix =
  /** `forgotten`: keys that it named and names no more, since they are gone, damaged, or lead nowhere. */
  | { readonly kind: "written"; readonly named: number; readonly forgotten: readonly string[] }
  /** It says all this already. */
  | { readonly kind: "unchanged"; readonly named: number }
  /** No object is sound, and there is no manifest: nothing tells what one would have to say. */
  | { readonly kind: "impossible" };

export interface VerifiedAndFixed {
  readonly report: VerifyReport;
  readonly fix: ManifestFix;
}

/**
 * Reads every byte of a backup, and rewrites the manifest from the objects that are sound. Safe beside whoever
 * writes at the same time: it is written only if nobody wrote it in between, and what others did since the reading
 * began stands. No object is touched.
 * Errors: those of verify(); USAGE for a layout without a manifest.
 */
export async function verifyAndFix(
  { storage, cores, clock }: FixDependencies,
  name: string,
  options: VerifyOptions = {},
): Promise<VerifiedAndFixed> {
  const { signal } = options;
  const call = signal ? { signal } : {};
  const { layout } = await readCatalog(storage, name, call);
  if (layout !== "walrust") throw withoutManifest(name);
  const report = await verify({ storage, cores }, name, options);
  return { report, fix: await fixManifest(storage, clock, report, call) };
}

async function fixManifest(
  storage: Storage,
  clock: Clock,
  report: VerifyReport,
  call: CallOptions,
): Promise<ManifestFix> {
  const keys = databaseKeys(report.name);
  const namesIn = (manifest: Manifest | undefined) =>
    (manifest?.files ?? []).map(({ minTxid, maxTxid }) => keys.ltx(minTxid, maxTxid));
  let fix: ManifestFix = { kind: "impossible" };
  const change = async (now: Manifest | undefined) => {
    const listed = new Set((await listFiles(storage, keys, call)).map(({ key }) => key));
    const rebuilt = rebuiltManifest({ report, now, listed, nowMs: clock.now() });
    fix = { kind: "impossible" };
    if (rebuilt === undefined) return undefined;
    const names = new Set(namesIn(rebuilt));
    fix = { kind: "unchanged", named: names.size };
    if (now !== undefined && isSame(now, rebuilt)) return undefined;
    const forgotten = namesIn(now ?? report.catalog.manifest).filter((key) => !names.has(key));
    fix = { kind: "written", named: names.size, forgotten };
    return rebuilt;
  };
  await updateManifest(storage, keys, change, call);
  return fix;
}

function withoutManifest(name: string): WalrustError {
  return new WalrustError("USAGE", `"${name}" is in Litestream's layout, which has no manifest to rewrite`, {
    hint: "Verify it without --fix.",
  });
}

/** Whether the fix made good what was found: the manifest was wrong, and no object is. */
export function isFixed(fix: ManifestFix, name: string, { kind, object }: Finding): boolean {
  if (fix.kind === "impossible") return false;
  return kind === "manifest" || (kind === "damaged" && object === databaseKeys(name).manifest());
}

function isSame(a: Manifest, b: Manifest): boolean {
  const bytes = (manifest: Manifest) => formatManifest({ ...manifest, updatedAtMs: 0 });
  return Buffer.compare(bytes(a), bytes(b)) === 0;
}
