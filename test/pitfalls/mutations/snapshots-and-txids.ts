import type { PitfallMutation } from "../pitfall-mutation.ts";

/** What VACUUM INTO would have put in place of the database's own pages. */
const VACUUM_INTO = {
  what: "the pages of a snapshot come from VACUUM INTO",
  file: "src/replication/replica.ts",
  find: `    const { link } = this.#options;
    return {
      link,
      pageSizeBytes: link.facts.pageSizeBytes,
      commitPages: pin.commitPages,
      position: pin.position,
    };`,
  replace: `    const { link } = this.#options;
    const fs = process.getBuiltinModule("node:fs");
    const { createRequire } = process.getBuiltinModule("node:module");
    const Database = createRequire(import.meta.url)("better-sqlite3");
    const copy = \`\${link.facts.paths.database}-copy\`;
    fs.rmSync(copy, { force: true });
    const db = new Database(link.facts.paths.database);
    db.exec(\`VACUUM INTO '\${copy}'\`);
    db.close();
    const fd = fs.openSync(copy, "r");
    const { pageSizeBytes } = link.facts;
    return {
      link: { readMain: (into, offset) => fs.readSync(fd, into, 0, into.length, offset), readWal: () => 0 },
      pageSizeBytes,
      commitPages: fs.fstatSync(fd).size / pageSizeBytes,
      position: pin.position,
    };`,
};

/** Pitfalls 19 to 24, and 60. */
export const SNAPSHOTS_AND_TXIDS: readonly PitfallMutation[] = [
  {
    id: "19a",
    what: "the main file is copied without the log",
    file: "src/sqlite/pinned-pages.ts",
    find: "options.position === undefined ? 0 : (options.position.offset - WAL_HEADER_SIZE) / this.#frameSize;",
    replace: "0;",
    test: "test/sqlite/pinned-pages.test.ts",
    title:
      "snapshots under load, with the application checkpointing in all modes: each is one state, and whole",
  },
  {
    id: "19b",
    what: "a log that began anew while pages were read from it is not noticed",
    file: "src/sqlite/pinned-pages.ts",
    find: "    if (!fromLog || this.#isSameLog()) return;",
    replace: "    if (fromLog || this.#isSameLog() || true) return;",
    test: "test/sqlite/pinned-pages.test.ts",
    title: "$name, page size $pageSize: the state at the pin, whenever it happens",
  },
  {
    id: "20",
    ...VACUUM_INTO,
    test: "test/replication/publisher.test.ts",
    title: "a database that VACUUM would renumber (pitfalls 20, 60)",
  },
  {
    id: "21",
    what: "a snapshot takes a TXID of its own",
    file: "src/replication/publisher.ts",
    find: `    const { layout, writer } = this.#options;
    const { txid, timestampMs } = at;
    const file = { minTxid: 1n, maxTxid: txid, sizeBytes: sizeOf(database), timestampMs };`,
    replace: `    const { layout, writer } = this.#options;
    const { timestampMs } = at;
    const txid = at.txid + 1n;
    const file = { minTxid: 1n, maxTxid: txid, sizeBytes: sizeOf(database), timestampMs };`,
    test: "test/e2e/points.test.ts",
    title: "every restore point, by TXID and by time, through two snapshots and a shrinking database",
  },
  {
    id: "22a",
    what: "the lock page is read like any other",
    file: "src/replication/whole-database.ts",
    find: "    if (pgno === lock) {",
    replace: "    if (pgno === -lock) {",
    test: "test/e2e/lock-page.torture.ts",
    title: "a database across the lock page at 1 GiB, page size ${pageSize}",
  },
  {
    id: "22b",
    what: "a snapshot must hold the lock page too",
    file: "src/ltx/format.ts",
    find: "  return commit < lockPage(pageSizeBytes) ? commit : commit - 1;",
    replace: "  return commit;",
    test: "test/ltx/encoder.test.ts",
    title: "a snapshot over the lock page leaves it out and is complete",
  },
  {
    id: "23",
    what: "a restore fetches all that it needs before it applies it",
    file: "src/restore/prefetch.ts",
    find: "    while (this.#fetches.length < this.#parallel) {",
    replace: "    while (true) {",
    test: "test/e2e/load.torture.ts",
    title: "peak memory of snapshot and restore is the same for 10 MB and 400 MB",
  },
  {
    id: "24a",
    what: "a snapshot is waited for",
    file: "src/daemon/snapshots.ts",
    find: "      this.#running = this.#run(this.#state, signal);",
    replace: "      this.#running = this.#run(this.#state, signal);\n      await this.#running;",
    test: "test/daemon/slow-snapshot.test.ts",
    title: "a snapshot of 25 minutes through a throttled storage (pitfall 24)",
  },
  {
    id: "60a",
    ...VACUUM_INTO,
    test: "test/replication/publisher.test.ts",
    title: "a database that VACUUM would renumber (pitfalls 20, 60)",
  },
  {
    id: "60b",
    what: "a start that finds the remote head where it was left takes itself for another life",
    file: "src/replication/resume.ts",
    find: "  if (facts.highestTxid > remote.txid) return",
    replace: "  if (facts.highestTxid >= remote.txid) return",
    test: "test/e2e/away.test.ts",
    title: "a restart without changes stores nothing",
  },
  {
    id: "60c",
    what: "a database has to be called *.db",
    file: "src/sqlite/paths.ts",
    find: "  if (database !== database.trim()) {",
    replace: '  if (database !== database.trim() || !database.endsWith(".db")) {',
    test: "test/e2e/many-databases.test.ts",
    title: "app, app.db, app.sqlite and app.db.bak in one folder: each is itself",
  },
];
