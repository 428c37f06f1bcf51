import { isWalrustError, WalrustError } from "../errors.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { type Catalog, readCatalog, withHeaders } from "./catalog.ts";
import { doubtfulFiles, learnEnds } from "./doubtful-files.ts";
import { Evidence } from "./evidence.ts";
import { headersNeeded, planRestore, type RestorePlan, type RestoreTarget } from "./plan.ts";

export interface PreparedRestore {
  readonly catalog: Catalog;
  readonly plan: RestorePlan;
}

const MAX_TRIES = 3;

export interface PrepareOptions extends CallOptions {
  /** What was learned from files that were read before. */
  readonly evidence?: Evidence;
}

/**
 * Plans a restore from what storage holds now. A list is not made at one moment: what a prune or a merge
 * moved meanwhile may look lost, so what is missing is looked for once more before it is believed.
 * Errors: those of planRestore and readCatalog.
 */
export async function prepareRestore(
  storage: Storage,
  name: string,
  target: RestoreTarget,
  options: PrepareOptions = {},
): Promise<PreparedRestore> {
  for (let tries = 1; ; tries++) {
    try {
      return await prepareOnce(storage, name, target, options);
    } catch (error) {
      if (tries === MAX_TRIES || !isWalrustError(error, "INTEGRITY_MISSING", "STORAGE_NOT_FOUND"))
        throw error;
    }
  }
}

async function prepareOnce(
  storage: Storage,
  name: string,
  target: RestoreTarget,
  { evidence = new Evidence(), ...options }: PrepareOptions,
): Promise<PreparedRestore> {
  let catalog = evidence.amend(await readCatalog(storage, name, options));
  // Mostly twice: the times first, then the headers around the chosen point, which may be another one by them.
  for (;;) {
    const unread = headersNeeded(catalog, target);
    try {
      if (unread.length === 0) {
        const plan = await planOrDoubt(storage, catalog, target, evidence, options);
        if (plan) return { catalog, plan };
      } else catalog = await withHeaders(storage, catalog, unread, options);
    } catch (error) {
      if (!evidence.isNews(error)) throw error;
    }
    catalog = evidence.amend(catalog);
  }
}

/** Undefined: there is no plan, but files may fit otherwise than the manifest says; now they have spoken. */
async function planOrDoubt(
  storage: Storage,
  catalog: Catalog,
  target: RestoreTarget,
  evidence: Evidence,
  options: CallOptions,
): Promise<RestorePlan | undefined> {
  try {
    return planRestore(catalog, target);
  } catch (error) {
    if (!isWalrustError(error, "RESTORE_UNREACHABLE", "INTEGRITY_CHAIN", "INTEGRITY_MISSING")) throw error;
    const doubtful = doubtfulFiles(catalog.present).filter((file) => !evidence.knows(file));
    if (doubtful.length === 0) throw error;
    await learnEnds(storage, doubtful, evidence, options);
    return undefined;
  }
}

/** What was listed a moment ago is not there, and that time after time. */
export function vanished(name: string, cause: WalrustError): WalrustError {
  return new WalrustError(
    "INTEGRITY_MISSING",
    `objects of "${name}" disappear while it is restored: ${cause.message}`,
    {
      cause,
      hint: "Something deletes them; try again when it is done.",
    },
  );
}
