import type { RetentionPolicy } from "../config/settings.ts";
import { WalrustError } from "../errors.ts";
import type { Txid } from "../ltx/format.ts";
import { Chains } from "../restore/chains.ts";
import { twoHistories } from "../restore/plan-errors.ts";
import { isSnapshotFile, knownFiles, type RestoreFile, type RestoreFiles } from "../restore/restore-file.ts";
import { timelineOf } from "../restore/timeline.ts";
import { databaseKeys } from "../storage/keys.ts";
import { Coverage } from "./coverage.ts";
import { finePoints } from "./fine-points.ts";
import { type GfsReason, keptByGfs } from "./gfs.ts";
import { type PlannedMerge, plannedMerges } from "./merges.ts";
import { neededFiles } from "./needed-files.ts";

/** What is known of a database's files before anything is decided. Every time is known. */
export interface SurveyedFiles extends RestoreFiles {
  /** Keys of files that a writer may be about to name in the manifest: nobody else touches them. */
  readonly unsettled: ReadonlySet<string>;
  /** Present, and not what their names say: nothing builds on them, and they are left to `verify`. */
  readonly unusable: readonly RestoreFile[];
}

/**
 * Why a snapshot stays: a tier of the retention; or `base`: incrementals that stay lead from it, and nothing
 * else leads to them; `unsettled`: it is newer than the manifest.
 */
export type StayReason = GfsReason | "base" | "unsettled";

export interface StayingSnapshot {
  readonly file: RestoreFile;
  readonly timestampMs: number;
  readonly reasons: readonly StayReason[];
}

export interface PlannedDeletion {
  readonly file: RestoreFile;
  /** `expired`: no restore point that stays needs it. `superseded`: others hold all that it holds. */
  readonly why: "expired" | "superseded";
}

/** What stays, what is merged, and what goes: every present file is in exactly one of the lists. */
export interface CompactionPlan {
  /** Newest first. */
  readonly snapshots: readonly StayingSnapshot[];
  /** Incrementals that stay as they are, ascending, and what nothing is known of. */
  readonly untouched: readonly RestoreFile[];
  readonly merges: readonly PlannedMerge[];
  /** Ascending. The sources of merges are not among them. */
  readonly deletions: readonly PlannedDeletion[];
  /** Named by the manifest and gone, and no restore point that stays would need them: their names go too. */
  readonly forgotten: readonly RestoreFile[];
}

/**
 * Decides what becomes of each file. Pure, and it only takes away what it can explain: whatever restore point
 * is to stay can be restored before and after; files that do not fit together, and all behind something that
 * is gone, are left alone. Without a snapshot nothing happens.
 * Errors: INTEGRITY_CHAIN where there are two histories, since it is not for us to choose one.
 */
export function planCompaction(files: SurveyedFiles, policy: RetentionPolicy, nowMs: number): CompactionPlan {
  return new Planning(files, policy, nowMs).plan();
}

class Planning {
  readonly #files: SurveyedFiles;
  /** Over what is present. */
  readonly #chains: Chains;
  readonly #attached: ReadonlySet<RestoreFile>;
  /** TXIDs that can be restored over an incremental that ends there. */
  readonly #ledTo: ReadonlySet<Txid>;
  readonly #times: ReadonlyMap<Txid, number>;
  readonly #gfs: ReadonlyMap<Txid, readonly GfsReason[]>;
  /** The same, if nothing were missing. */
  readonly #gfsOfAll: ReadonlySet<Txid>;
  readonly #base: Txid | undefined;
  /** Restore points of the fine history that stay, and the snapshots in it. */
  readonly #points: readonly Txid[];
  readonly #needed: ReadonlySet<RestoreFile>;

  constructor(files: SurveyedFiles, { retention, compaction }: RetentionPolicy, nowMs: number) {
    this.#files = files;
    this.#chains = new Chains(files.present);
    this.#attached = new Set(this.#chains.attached);
    this.#assertOneHistory();
    this.#ledTo = new Set(incrementalsOf(this.#chains.attached).map(({ maxTxid }) => maxTxid));
    const timeline = timelineOf(knownFiles(files));
    this.#times = new Map(timeline.map(({ txid, timestampMs }) => [txid, timestampMs]));
    this.#gfs = keptByGfs(this.#dated(this.#settled()), retention);
    this.#gfsOfAll = new Set(keptByGfs(this.#dated(knownFiles(files)), retention).keys());
    this.#base = baseOf(this.#gfs);
    const fine = finePoints(
      {
        timeline,
        base: this.#base ?? 0n,
        ends: new Set(this.#stepsOfHistory().map(({ maxTxid }) => maxTxid)),
        ledTo: this.#ledTo,
      },
      compaction,
      nowMs,
    );
    this.#points = [...new Set([...this.#snapshotsInFineHistory(), ...fine])].sort(ascending);
    this.#needed = this.#neededFor(fine);
  }

  /**
   * No snapshot goes in favour of one that no manifest names: its writer would take the one that went for one that is still to be named. And what
   * the unnamed incrementals hang on stays, since no snapshot but those leads behind it.
   */
  #settled(): RestoreFile[] {
    return this.#files.present.filter(({ key }) => !this.#files.unsettled.has(key));
  }

  /** Incrementals, also such as are gone or lead nowhere, unless others hold what they hold: those go, and must have no say before they do. */
  #stepsOfHistory(): RestoreFile[] {
    const coverage = new Coverage(incrementalsOf(this.#chains.attached));
    const counts = (file: RestoreFile) =>
      this.#attached.has(file) || this.#isOnlyWitness(file) || !coverage.covers(file);
    return [
      ...incrementalsOf(this.#files.present).filter(counts),
      ...incrementalsOf(this.#files.missing).filter((file) => !coverage.covers(file)),
    ];
  }

  #snapshotsInFineHistory(): Txid[] {
    return [...this.#gfs.keys()].filter((txid) => txid >= (this.#base ?? 0n));
  }

  /** In two steps: which snapshots nothing can replace, and then what leads on from those. */
  #neededFor(fine: readonly Txid[]): ReadonlySet<RestoreFile> {
    const snapshots = new Set(this.#gfs.keys());
    const ledTo = this.#ledTo;
    const beginnings = new Set(
      this.#snapshotsInFineHistory().filter((txid) => txid === this.#base || !ledTo.has(txid)),
    );
    const points = fine.filter((txid) => !snapshots.has(txid));
    const bases = neededFiles(this.#files, { points, beginnings, snapshots, ledTo });
    for (const file of bases) {
      if (isSnapshotFile(file) && !snapshots.has(file.maxTxid)) beginnings.add(file.maxTxid);
    }
    return neededFiles(this.#files, { points: this.#points, beginnings, snapshots, ledTo });
  }

  plan(): CompactionPlan {
    const { present } = this.#files;
    if (this.#base === undefined) return { ...NOTHING, untouched: [...present, ...this.#files.unusable] };
    const snapshots = present.filter(isSnapshotFile).flatMap((file) => this.#staying(file));
    const coverage = new Coverage(present.filter((file) => this.#isUsed(file) && isVouchedFor(file)));
    const deletions = present.flatMap((file) => this.#deletion(file, coverage));
    const staying = new Set(present);
    for (const { file } of [...snapshots, ...deletions]) staying.delete(file);
    const merges = this.#merges([...staying], snapshots);
    for (const { sources } of merges) for (const file of sources) staying.delete(file);
    const plan: CompactionPlan = {
      snapshots: snapshots.sort((a, b) => ascending(b.file.maxTxid, a.file.maxTxid)),
      untouched: [...staying, ...this.#files.unusable].sort(byMaxTxid),
      merges,
      deletions: deletions.sort((a, b) => byMaxTxid(a.file, b.file)),
      forgotten: this.#files.missing.filter((file) => this.#isForgotten(file, coverage)),
    };
    this.#assertLosesNothing(plan);
    return plan;
  }

  /** A snapshot that stays, with the reasons; none for one that goes. */
  #staying(file: RestoreFile): StayingSnapshot[] {
    const gfs = this.#gfs.get(file.maxTxid) ?? [];
    const others: ReadonlyArray<readonly [StayReason, boolean]> = [
      ["base", gfs.length === 0 && this.#needed.has(file)],
      ["unsettled", this.#files.unsettled.has(file.key)],
    ];
    const reasons = [...gfs, ...others.flatMap(([reason, holds]) => (holds ? [reason] : []))];
    const timestampMs = this.#times.get(file.maxTxid) ?? 0;
    return reasons.length === 0 ? [] : [{ file, timestampMs, reasons }];
  }

  #deletion(file: RestoreFile, coverage: Coverage): PlannedDeletion[] {
    if (this.#needed.has(file) || this.#files.unsettled.has(file.key)) return [];
    if (isSnapshotFile(file)) return this.#gfs.has(file.maxTxid) ? [] : [{ file, why: "expired" }];
    if (this.#isExpired(file)) return [{ file, why: "expired" }];
    if (this.#isOnlyWitness(file)) return [];
    if (coverage.covers(file)) return [{ file, why: "superseded" }];
    // Where it leads is no restore point that stays. Of what leads nowhere nobody knows where it belongs.
    return this.#attached.has(file) ? [{ file, why: "expired" }] : [];
  }

  #merges(staying: readonly RestoreFile[], snapshots: readonly StayingSnapshot[]): PlannedMerge[] {
    const isMergeable = (file: RestoreFile) => this.#isUsed(file) && !this.#files.unsettled.has(file.key);
    const mergeable = staying.filter(isMergeable);
    const others = staying.filter((file) => !isMergeable(file));
    const stops = new Set([...this.#points, ...snapshots.map(({ file }) => file.maxTxid)]);
    const keys = databaseKeys(this.#files.name);
    const strangers = others.filter((file) => !this.#attached.has(file));
    const taken = new Set([...this.#files.unusable, ...strangers].map(({ key }) => key));
    return plannedMerges(mergeable, others, stops).filter(
      ({ minTxid, maxTxid }) => !taken.has(keys.ltx(minTxid, maxTxid)),
    );
  }

  /** A missing snapshot that the retention would keep is a loss that `verify` goes on telling. */
  #isForgotten(file: RestoreFile, coverage: Coverage): boolean {
    if (this.#needed.has(file)) return false;
    if (isSnapshotFile(file)) return !this.#gfsOfAll.has(file.maxTxid);
    return this.#isExpired(file) || coverage.covers(file);
  }

  /** A restore of a point that stays goes over it, with what is there now. */
  #isUsed(file: RestoreFile): boolean {
    return this.#needed.has(file) && !isSnapshotFile(file) && this.#attached.has(file);
  }

  /**
   * What it follows is gone, and a snapshot leads to where it ends that stays for no other reason than that it ends there: without it the next
   * run would let that snapshot go, and the restore point with it.
   */
  #isOnlyWitness({ maxTxid }: RestoreFile): boolean {
    return this.#chains.reaches(maxTxid) && !this.#ledTo.has(maxTxid) && !this.#gfs.has(maxTxid);
  }

  /** Older than the fine history. */
  #isExpired({ maxTxid }: RestoreFile): boolean {
    return this.#base !== undefined && maxTxid <= this.#base;
  }

  #dated(files: readonly RestoreFile[]) {
    return files.filter(isSnapshotFile).map(({ maxTxid: txid }) => {
      const timestampMs = this.#times.get(txid);
      if (timestampMs === undefined) throw new WalrustError("INTERNAL", "a snapshot without a time");
      return { txid, timestampMs };
    });
  }

  /** And leads on from what there is. */
  #isStillToBeNamed(file: RestoreFile): boolean {
    return this.#files.unsettled.has(file.key) && this.#attached.has(file);
  }

  #assertOneHistory(): void {
    for (const txid of this.#chains.txids()) {
      const endings = this.#chains.endings(txid);
      if (endings.length > 1) throw twoHistories(this.#files.name, txid, endings);
    }
  }

  /** The one thing that retention must never do, asked once more of the finished plan. */
  #assertLosesNothing({ snapshots, untouched, merges }: CompactionPlan): void {
    const unusable = new Set(this.#files.unusable);
    const after = new Chains([
      ...snapshots.map(({ file }) => file),
      ...untouched.filter((file) => !unusable.has(file)),
      ...merges.flatMap(mergedFile),
    ]);
    const lost = [...this.#points, ...this.#gfs.keys()].find(
      (txid) => this.#chains.reaches(txid) && !after.reaches(txid),
    );
    if (lost !== undefined) {
      throw new WalrustError("INTERNAL", `compaction would lose the restore point at TXID ${lost}`);
    }
    const attached = new Set(after.attached);
    const cutOff = untouched.find((file) => this.#isStillToBeNamed(file) && !attached.has(file));
    if (cutOff !== undefined)
      throw new WalrustError(
        "INTERNAL",
        `compaction would cut off ${cutOff.key}, which is still to be named`,
      );
  }
}

function incrementalsOf(files: readonly RestoreFile[]): RestoreFile[] {
  return files.filter((file) => !isSnapshotFile(file));
}

/** The manifest names it, or it was read to its end. */
function isVouchedFor({ bodySha256 }: RestoreFile): boolean {
  return bodySha256 !== undefined;
}

/** What a merge makes, as far as it is known before. */
function mergedFile({ maxTxid, sources }: PlannedMerge): RestoreFile[] {
  const [first, last] = [sources[0], sources.at(-1)];
  if (first === undefined || last === undefined) return [];
  return [{ ...first, maxTxid, postApply: last.postApply }];
}

/** The fine history reaches as far back as the hourly tier; without one, only behind the newest snapshot. */
function baseOf(gfs: ReadonlyMap<Txid, readonly GfsReason[]>): Txid | undefined {
  const [newest] = gfs.keys();
  const hourly = [...gfs].filter(([, reasons]) => reasons.includes("hourly")).map(([txid]) => txid);
  return hourly.at(-1) ?? newest;
}

const NOTHING: CompactionPlan = { snapshots: [], untouched: [], merges: [], deletions: [], forgotten: [] };

function byMaxTxid(a: RestoreFile, b: RestoreFile): number {
  return ascending(a.maxTxid, b.maxTxid) || ascending(a.minTxid, b.minTxid);
}

function ascending(a: Txid, b: Txid): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
