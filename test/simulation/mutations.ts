import type { Mutation } from "../helpers/mutation.ts";

/** Bugs put in on purpose, of the kinds that lost data in the systems before us. The simulation has to find each of them. */
export const MUTATIONS: readonly Mutation[] = [
  {
    id: "restart-by-size",
    what: "a log of the same size is taken for the same log, whatever its salts and checksums",
    file: "src/wal/continuity.ts",
    find: `  if (index.frames === 0) return withEmptyLog(facts, index);
`,
    replace: `  if (index.frames === 0) return withEmptyLog(facts, index);
  if (cursor !== undefined && framesBefore(cursor, facts.pageSizeBytes) === index.frames) return IDLE;
`,
  },
  {
    id: "gap-ignored",
    what: "a log that was restarted while nobody watched is followed as if nothing were missing",
    file: "src/wal/continuity.ts",
    find: `  if (!pinHeld && !(isNext && tail === "whole")) return gap("log-restarted-unwatched");\n`,
    replace: "",
  },
  {
    id: "replaced-file",
    what: "a database that was replaced under its name is not noticed",
    file: "src/wal/continuity.ts",
    find: `  if (!facts.sameFile) return gap("file-replaced");
`,
    replace: "",
  },
  {
    id: "cursor-before-put",
    what: "a file counts as published before storage has answered",
    file: "src/replication/publisher.ts",
    find: `      await upload.complete(encoded.header, { sha256: encoded.bodySha256 });
      return made;`,
    replace: `      upload.complete(encoded.header, { sha256: encoded.bodySha256 }).catch(() => {});
      return made;`,
  },
  {
    id: "conflict-adopted",
    what: "whatever lies under the key of a file that could not be stored is taken for it",
    file: "src/replication/publisher.ts",
    find: `        checksumAfter(there.header, there.trailer) === next.postApply &&
        isSameStep(there.header, decodeHeader(encoded.header))`,
    replace: "        there !== undefined",
  },
  {
    id: "pin-gap",
    what: "the old pin ends before the new one begins",
    file: "src/sqlite/link.ts",
    find: `    const next = this.#spareConnection();
    if (!this.#beginPin(next)) return false;
    const old = this.#pinned;`,
    replace: `    const next = this.#spareConnection();
    this.#pinned?.end();
    if (!this.#beginPin(next)) return false;
    const old = this.#pinned;`,
  },
  {
    id: "handover-without-shadow",
    what: "what storage does not have is not in the shadow WAL when the pin moves",
    file: "src/replication/capture.ts",
    find: `    this.pending.secure(this.#options.segmentFolder);`,
    replace: "",
  },
  {
    id: "snapshot-between-commits",
    what: "a snapshot is taken at a pin behind which something may have been written",
    file: "src/sqlite/exact-pin.ts",
    find: `  if (after !== undefined && isUnchanged(before, after)) return pinned(link, extra, position, before);`,
    replace: `  if (after !== undefined) return pinned(link, extra, position, before);`,
  },
  {
    id: "unsynced-segment",
    what: "what SQLite is about to overwrite is not durable in the shadow WAL",
    file: "src/shadow/segment.ts",
    find: `    this.#guard(() => fsyncSync(this.#fd));`,
    replace: "",
  },
  {
    id: "prune-before-manifest",
    what: "compaction deletes before the manifest stops naming",
    file: "src/retention/compact.ts",
    find: `    await this.#mergeAll();
    if ((await this.#writeManifest()) === "overtaken") return "overtaken";
    await this.#deleteAll();`,
    replace: `    await this.#mergeAll();
    await this.#deleteAll();
    if ((await this.#writeManifest()) === "overtaken") return "overtaken";`,
  },
  {
    id: "lock-kept",
    what: "a lock whose release failed keeps its own process out for good",
    file: "src/shadow/lock.ts",
    find: `const isTheirs = holder !== undefined && !isThisProcess(holder, owner);`,
    replace: `const isTheirs = holder !== undefined;`,
  },
  {
    id: "busy-loop",
    what: "what was looked at already is due again at once",
    file: "src/daemon/handovers.ts",
    find: `    const isLookedAt = lookAtMs <= this.#clock.monotonicMs();`,
    replace: `    const isLookedAt = lookAtMs < 0;`,
  },
  {
    id: "segment-overwritten",
    what: "two segments of frames that storage does not have get one name",
    file: "src/shadow/segment.ts",
    find: `segmentName(header, nextOrdinal(folder))`,
    replace: `segmentName(header, header.from.sequence)`,
  },
  {
    id: "trouble-never-over",
    what: "a trouble that is over lasts for whoever asks, until the next commit",
    file: "src/daemon/serving.ts",
    find: `    return isDone && !isLeft ? this.#retryAtMs : undefined;`,
    replace: "    return undefined;",
  },
  {
    id: "pruned-for-unnamed",
    what: "compaction deletes a snapshot in favour of one that its writer is still to name",
    file: "src/retention/plan.ts",
    find: `keptByGfs(this.#dated(this.#settled()), retention)`,
    replace: `keptByGfs(this.#dated(this.#files.present), retention)`,
  },
];
