import type { RetentionPolicy } from "../config/settings.ts";
import { WalrustError } from "../errors.ts";
import { type Catalog, readCatalog, withHeaders } from "../restore/catalog.ts";
import { checkFiles, isSound, type SoundFile } from "../restore/checked-file.ts";
import { nothingThere } from "../restore/plan-errors.ts";
import { knownFiles, type RestoreFile } from "../restore/restore-file.ts";
import { settledBy } from "../restore/settled.ts";
import type { StoredManifest } from "../storage/database-objects.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import { type CompactionPlan, planCompaction, type SurveyedFiles } from "./plan.ts";

export interface SurveyDependencies {
  readonly storage: Storage;
  readonly cores: CorePool;
}

export interface Survey extends SurveyedFiles {
  /** Undefined where it is missing or damaged. */
  readonly manifest: StoredManifest | undefined;
  /** Files that were read to their end, by key: what the manifest should say of them. */
  readonly read: ReadonlyMap<string, SoundFile>;
}

export interface Planned {
  readonly survey: Survey;
  readonly plan: CompactionPlan;
}

const PARALLEL = 4;

/**
 * Looks at a database's files and plans. What is to stay, and is named by no manifest, is read to its end
 * first: others go in its favour, and the manifest is to name it from now on. Without a manifest that can be
 * used these are all that stay.
 * Errors: RESTORE_NOTHING; USAGE for a replica of Litestream; those of planCompaction; STORAGE_*, also
 * STORAGE_NOT_FOUND when somebody else deletes meanwhile; INTEGRITY_FORMAT; INTEGRITY_VERSION.
 */
export async function surveyAndPlan(
  dependencies: SurveyDependencies,
  name: string,
  policy: RetentionPolicy,
  nowMs: number,
  options: CallOptions = {},
): Promise<Planned> {
  let survey = await firstLook(dependencies.storage, name, options);
  for (;;) {
    const plan = planCompaction(survey, policy, nowMs);
    const doubtful = [...plan.snapshots.map(({ file }) => file), ...plan.untouched].filter(
      ({ key, bodySha256 }) => bodySha256 === undefined && !survey.unsettled.has(key),
    );
    const unread = doubtful.filter((file) => !survey.unusable.includes(file));
    if (unread.length === 0) return { survey, plan };
    survey = await withProofs(dependencies, survey, unread, options);
  }
}

async function firstLook(storage: Storage, name: string, options: CallOptions): Promise<Survey> {
  const catalog = await readCatalog(storage, name, options);
  if (catalog.layout !== "walrust") throw notOurs(catalog);
  if (knownFiles(catalog).length === 0) throw nothingThere(name);
  const settled = settledFiles(catalog);
  const unread = catalog.present.filter(({ timestampMs }) => timestampMs === undefined);
  const { present } = await withHeaders(storage, catalog, unread, options);
  return {
    ...{ name, present, missing: catalog.missing, headTxid: catalog.headTxid },
    manifest: catalog.manifest,
    unsettled: new Set(present.filter(({ key }) => !settled.has(key)).map(({ key }) => key)),
    ...{ unusable: [], read: new Map() },
  };
}

/** Keys of the files that nobody is about to name. */
function settledFiles({ manifest, present }: Catalog): ReadonlySet<string> {
  const isSettled = manifest === undefined ? () => true : settledBy(manifest);
  // Only the manifest tells the SHA-256.
  const settled = present.filter((file) => file.bodySha256 !== undefined || isSettled(file));
  return new Set(settled.map(({ key }) => key));
}

/** The same survey, with what these files say when they are read to their end. */
async function withProofs(
  { storage, cores }: SurveyDependencies,
  survey: Survey,
  files: readonly RestoreFile[],
  options: CallOptions,
): Promise<Survey> {
  const lease = await cores.acquire(options);
  try {
    const checked = await checkFiles(storage, lease.core, files, { parallel: PARALLEL, ...options });
    const sound = new Map(checked.filter(isSound).map((one) => [one.file.key, one]));
    const unusable = files.filter(({ key }) => !sound.has(key));
    const present = survey.present
      .filter((file) => !unusable.includes(file))
      .map((file) => sound.get(file.key)?.file ?? file);
    return {
      ...survey,
      present,
      unusable: [...survey.unusable, ...unusable],
      read: new Map([...survey.read, ...sound]),
    };
  } finally {
    lease.release();
  }
}

function notOurs({ name, present }: Catalog): WalrustError {
  return new WalrustError("USAGE", `"${name}" is in Litestream's layout, which walrust does not compact`, {
    hint: "What writes it, retains it: set the retention there.",
    details: { object: present[0]?.key ?? null },
  });
}
