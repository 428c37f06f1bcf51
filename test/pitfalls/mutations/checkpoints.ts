import type { PitfallMutation } from "../pitfall-mutation.ts";

/** Pitfalls 10 to 18, 53 and 55. */
export const CHECKPOINTS: readonly PitfallMutation[] = [
  {
    id: "10a",
    what: "the log is let go without a look at what was committed since the last poll",
    file: "src/sqlite/handover.ts",
    find: `  drain();
  if (!link.movePin()) return busy("unsettled");
  const end = drain();
  const pending = link.index();`,
    replace: `  if (!link.movePin()) return busy("unsettled");
  const end = drain();
  const pending = link.index();`,
    test: "test/sqlite/handover.test.ts",
    title: "captures before the pin moves: until then nothing can be overwritten",
  },
  {
    id: "10b",
    what: "frames that storage does not have are not copied before the log may be overwritten",
    file: "src/replication/capture.ts",
    find: "    this.pending.secure(this.#options.segmentFolder);\n",
    replace: "",
    test: "test/e2e/storm.test.ts",
    title: "a writer at 500 commits/s with checkpoints in all modes",
  },
  {
    id: "10c",
    what: "a restart that the file proves is followed, though what was captured before it was only in the log",
    file: "src/replication/capture.ts",
    find: '      secured: this.#pinHeld ? this.#secured && this.#restarted !== "with-commits" : this.pending.isSecured,',
    replace: '      secured: this.#pinHeld ? this.#secured && this.#restarted !== "with-commits" : true,',
    test: "test/replication/capture.test.ts",
    title: "a restart without a pin over what was captured and is nowhere else",
  },
  {
    id: "11a",
    what: "a pin that a failed step cost is not taken again",
    file: "src/sqlite/link.ts",
    find: "const REPIN_TRIES = 5;",
    replace: "const REPIN_TRIES = 0;",
    test: "test/sqlite/link.test.ts",
    title: "every step of a handover fails in turn (pitfall 11)",
  },
  {
    id: "11b",
    what: "what the checkpoint under the write lock says is not looked at",
    file: "src/sqlite/handover.ts",
    find: `  if (checkpoint.busy) return busy("checkpointer");
  if (checkpoint.backfilledFrames < checkpoint.logFrames) return busy("readers");
`,
    replace: "",
    test: "test/sqlite/handover.test.ts",
    title: "an older reader: the log goes on growing, and is free when the reader is gone",
  },
  {
    id: "11c",
    what: "the own checkpoint begins before everything is captured",
    file: "src/sqlite/handover.ts",
    find: '  if (stands !== "equal") return gap(stands === "astray" ? "astray" : "not-drained");',
    replace: "",
    test: "test/sqlite/handover.test.ts",
    title: "a drain that does not reach the end: no handover but a gap",
  },
  {
    id: "12",
    what: "any SQLite 3 will do",
    file: "src/sqlite/driver.ts",
    find: 'FIRST_SAFE_VERSION = "3.51.3"',
    replace: 'FIRST_SAFE_VERSION = "3.7.0"',
    test: "test/sqlite/driver.test.ts",
    title: "the version of SQLite (pitfall 12)",
  },
  {
    id: "13",
    what: "the own checkpoint is a RESTART that waits for readers",
    file: "src/sqlite/driver.ts",
    find: 'const passive = opened.prepare<[], CheckpointRow>("PRAGMA wal_checkpoint(PASSIVE)");',
    replace:
      'opened.pragma("busy_timeout=5000"); const passive = opened.prepare<[], CheckpointRow>("PRAGMA wal_checkpoint(RESTART)");',
    test: "test/e2e/load.torture.ts",
    title: "a reader that stays for a minute",
  },
  {
    id: "14",
    what: "a descriptor of the database is closed as soon as one of its users is done",
    file: "src/sqlite/descriptors.ts",
    find: "    return shared === undefined ? openAndHold(path, flags) : hold(known, shared);",
    replace: `    if (shared === undefined) return openAndHold(path, flags);
    const fd = openSync(path, flags);
    return { fd, identity: known, release: () => closeSync(fd) };`,
    test: "test/sqlite/posix-locks.test.ts",
    title: "POSIX locks (pitfall 14), from /proc/locks",
  },
  {
    id: "15",
    what: "a snapshot that was taken does not count: the next one is due at once",
    file: "src/daemon/snapshots.ts",
    find: `    this.#lastTxid = txid;
    this.#lastMs = this.#clock.monotonicMs();
    this.#newest`,
    replace: `    this.#lastTxid = txid;
    this.#newest`,
    test: "test/daemon/database-task.test.ts",
    title: "an hour of writes: exactly the scheduled snapshots (pitfall 15)",
  },
  {
    id: "16",
    what: "the manifest is written again though nothing was published",
    file: "src/replication/manifest-writer.ts",
    find: "return this.#added.length + this.#unnamed.length > 0;",
    replace: "return true;",
    test: "test/daemon/database-task.test.ts",
    title: "for an hour: not one request, no object, no event",
  },
  {
    id: "17",
    what: "whatever log is found at the start is taken for the next one",
    file: "src/wal/continuity.ts",
    find: '  if (!pinHeld && !(isNext && tail === "whole")) return gap("log-restarted-unwatched");\n',
    replace: "",
    test: "test/e2e/away.test.ts",
    title: "stopped while the applications commit, checkpoint in every mode and restart the log",
  },
  {
    id: "18a",
    what: "a log that is gone is taken for one in which nothing happened",
    file: "src/wal/continuity.ts",
    find: '  return pinHeld && secured ? IDLE : gap("log-vanished");',
    replace: "  return IDLE;",
    test: "test/replication/capture.test.ts",
    title: "TRUNCATE without a pin",
  },
  {
    id: "18b",
    what: "where there is no log, what happened before the pin is taken for known",
    file: "src/wal/continuity.ts",
    find: '  if (cursor === undefined) return pinHeld && secured ? IDLE : gap("log-vanished");',
    replace: "  if (cursor === undefined) return IDLE;",
    test: "test/replication/capture.test.ts",
    title: "no log at all, then the first commit",
  },
  {
    id: "53",
    what: "the old pin is held while the last checkpoint runs",
    file: "src/sqlite/handover.ts",
    find: "  barrier.releasePin();\n",
    replace: "",
    test: "test/sqlite/handover.test.ts",
    title: "a writer between the two looks: written, and the barrier then sees to it",
  },
  {
    id: "55a",
    what: "a PASSIVE that answers busy is a failure",
    file: "src/sqlite/handover.ts",
    find: '  if (link.passive().busy) return busy("checkpointer");',
    replace: '  if (link.passive().busy) throw new Error("the checkpoint failed");',
    test: "test/sqlite/handover.test.ts",
    title:
      "another checkpointer is at work (pitfall 55): busy, once asked, and it goes on when that one is done",
  },
  {
    id: "55b",
    what: "a PASSIVE that answers busy is asked again until it does not",
    file: "src/sqlite/handover.ts",
    find: '  if (link.passive().busy) return busy("checkpointer");',
    replace: "  for (let tries = 0; tries < 1000 && link.passive().busy; tries++);",
    test: "test/sqlite/handover.test.ts",
    title:
      "another checkpointer is at work (pitfall 55): busy, once asked, and it goes on when that one is done",
  },
];
