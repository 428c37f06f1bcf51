import type { PitfallMutation } from "../pitfall-mutation.ts";

/** Pitfalls 1 to 9, and 52. */
export const READING_THE_LOG: readonly PitfallMutation[] = [
  {
    id: "1",
    what: "the byte order that the magic tells is taken the other way round",
    file: "src/wal/header.ts",
    find: "magic === MAGIC_BIG_ENDIAN;",
    replace: "magic === MAGIC_LITTLE_ENDIAN;",
    test: "test/wal/header.test.ts",
    title: "the header of $name, which SQLite wrote",
  },
  {
    id: "2",
    what: "other salts behind no more frames than were captured: nothing new",
    file: "src/wal/continuity.ts",
    find: `  if (cursor === undefined || !isSameLog(cursor, index)) return withOtherGeneration(facts, header);

  const captured = framesBefore(cursor, facts.pageSizeBytes);`,
    replace: `  if (cursor === undefined) return withOtherGeneration(facts, header);
  const captured = framesBefore(cursor, facts.pageSizeBytes);
  if (!isSameLog(cursor, index))
    return captured < index.frames ? withOtherGeneration(facts, header) : IDLE;`,
    test: "test/replication/capture.test.ts",
    title: "at mark 0: a restart is proved, whatever comes then is captured: $name",
  },
  {
    id: "3",
    what: "a log with other salts is a restart only where it is shorter than what was captured",
    file: "src/wal/continuity.ts",
    find: `  if (cursor === undefined || !isSameLog(cursor, index)) return withOtherGeneration(facts, header);

  const captured = framesBefore(cursor, facts.pageSizeBytes);`,
    replace: `  if (cursor === undefined) return withOtherGeneration(facts, header);
  const captured = framesBefore(cursor, facts.pageSizeBytes);
  if (!isSameLog(cursor, index))
    return captured > index.frames ? withOtherGeneration(facts, header) : { kind: "append" };`,
    test: "test/replication/capture.test.ts",
    title: "at mark 0: a restart is proved, whatever comes then is captured: $name",
  },
  {
    id: "4a",
    what: "the checksum of a frame is not compared",
    file: "assembly/wal.ts",
    find: "if (loadU32BE(at + 16) != s0 || loadU32BE(at + 20) != s1) break;",
    replace: "",
    test: "test/wal/scanner.test.ts",
    title: "frames with the salts of the log and an older checksum do not count",
  },
  {
    id: "4b",
    what: "the salts of a frame are not compared",
    file: "assembly/wal.ts",
    find: " || loadU32BE(at + 8) != salt1 || loadU32BE(at + 12) != salt2",
    replace: "",
    test: "test/wal/scanner.test.ts",
    title: "a flipped byte anywhere ends the log before its transaction",
  },
  {
    id: "4c",
    what: "the position is behind the last whole frame, not behind the last commit",
    file: "assembly/wal.ts",
    find: "    if (commitPages != 0) {",
    replace: "    if (true) {",
    test: "test/wal/scanner.test.ts",
    title: "a cut anywhere leaves whole transactions only",
  },
  {
    id: "5a",
    what: "the database's size is the largest of all commits, not that of the last",
    file: "assembly/wal.ts",
    find: "store<u32>(COMMIT_PAGES, commitPages);",
    replace: "store<u32>(COMMIT_PAGES, max<u32>(commitPages, load<u32>(COMMIT_PAGES)));",
    test: "test/wal/scanner.test.ts",
    title: "$name at once",
  },
  {
    id: "5b",
    what: "frames without a commit behind them count as one",
    file: "assembly/wal.ts",
    find: "    if (commitPages != 0) {",
    replace: "    if (true) {",
    test: "test/wal/scanner.test.ts",
    title: "$name, one transaction after the other",
  },
  {
    id: "5c",
    what: "an increment says the largest size that the database had, not the last one",
    file: "src/replication/encode-runs.ts",
    find: "  const { commitPages } = last;",
    replace: "  const commitPages = Math.max(last.commitPages, base.commitPages);",
    test: "test/e2e/shapes.test.ts",
    title: "VACUUM shrinks the database between two increments",
  },
  {
    id: "5d",
    what: "what lies in the log behind the last commit that SQLite counts is captured too",
    file: "src/replication/capture.ts",
    find: "log.readWal(into.subarray(0, Math.max(0, end - offset)), offset);",
    replace: "log.readWal(into.subarray(0, Math.max(0, end + (1 << 30) - offset)), offset);",
    test: "test/replication/capture.test.ts",
    title: "nor is it behind commits that are still to be captured",
  },
  {
    id: "6",
    what: "pages that the database grew by, and that no frame has, are not missed before publishing",
    file: "src/replication/encode-runs.ts",
    find: "  if (missing !== 0) {",
    replace: "  if (missing < 0) {",
    test: "test/replication/publisher.test.ts",
    title: "a page that the database grew by is in no frame (pitfall 6)",
  },
  {
    id: "7a",
    what: "the log is looked for under the name without its extension",
    file: "src/sqlite/paths.ts",
    find: "return { database, wal: `${database}-wal`,",
    replace: 'return { database, wal: `${database.replace(/\\.\\w+$/, "")}-wal`,',
    test: "test/sqlite/inspect.test.ts",
    title: "suffixes go behind the whole name, and behind the name that a symlink leads to",
  },
  {
    id: "7b",
    what: "the shadow folder is named by the stem",
    file: "src/shadow/shadow-folder.ts",
    find: "join(dirname(databasePath), `.${file}${SUFFIX}`)",
    replace: 'join(dirname(databasePath), `.${file.replace(/\\.\\w+$/, "")}-walrust`)',
    test: "test/e2e/many-databases.test.ts",
    title: "app, app.db, app.sqlite and app.db.bak in one folder: each is itself",
  },
  {
    id: "8a",
    what: "a page size that is no power of two is taken from an LTX header",
    file: "src/ltx/header.ts",
    find: "if (size < PAGE_SIZE_MIN || size > PAGE_SIZE_MAX || !isPowerOfTwo(size)) {",
    replace: "if (size > PAGE_SIZE_MAX) {",
    test: "test/ltx/header.test.ts",
    title: "%s is refused",
  },
  {
    id: "8b",
    what: "page numbers of an LTX file are not compared with 0 and the size of the database",
    file: "assembly/ltx-stream.ts",
    find: `  if (pgno == 0) return BAD_PAGE_NUMBER_ZERO;
  if (pgno <= Stream.lastPgno) return BAD_PAGE_ORDER;
  if (pgno > Stream.commit) return BAD_PAGE_ABOVE_COMMIT;`,
    replace: "",
    test: "test/ltx/decoder-golden.test.ts",
    title: "$file: $defect",
  },
  {
    id: "8c",
    what: "a frame of page 0 is taken from a log",
    file: "assembly/wal.ts",
    find: "if (loadU32BE(at) == 0 || ",
    replace: "if (",
    test: "test/wal/scanner.test.ts",
    title: "a page number of 0 ends the log, as in SQLite",
  },
  {
    id: "8d",
    what: "a log's page size of 3 is taken",
    file: "src/wal/header.ts",
    find: "  if (!isPageSize(pageSizeBytes)) return undefined;",
    replace: "",
    test: "test/wal/header.test.ts",
    title: "a page size of %d with a checksum that holds is none",
  },
  {
    id: "9",
    what: "where there was no log at the start, none is looked for later",
    file: "src/wal/continuity.ts",
    find: "  if (cursor === undefined || !isSameLog(cursor, index)) return withOtherGeneration(facts, header);",
    replace: `  if (cursor === undefined) return IDLE;
  if (!isSameLog(cursor, index)) return withOtherGeneration(facts, header);`,
    test: "test/replication/open-replica.test.ts",
    title: "with a log that is none (pitfall 9): %s",
  },
  {
    id: "52a",
    what: "frames beyond the last commit are remembered from one scan to the next",
    file: "src/wal/scanner.ts",
    find: `    return {
      position: this.#position,
      commits: this.#commits,`,
    replace: `    return {
      position: {
        ...this.#position,
        offset: this.#position.offset + (this.#frames - this.#committedFrames) * this.#frameSize,
        checksum1: this.#checksum1,
        checksum2: this.#checksum2,
      },
      commits: this.#commits,`,
    test: "test/wal/scanner.test.ts",
    title: "$name, one transaction after the other",
  },
];
