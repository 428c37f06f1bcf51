/** A setting of SQLite that goes well with walrust. */
export interface Pragma {
  readonly name: string;
  /** As it is written behind the `=`. */
  readonly value: string;
  /** Whether the database remembers it, or each connection has to say it. */
  readonly scope: "database" | "connection";
  readonly why: string;
}

/** What an application should say when it opens a database that walrust watches. Nothing else is walrust's business. */
export const PRAGMAS: readonly Pragma[] = [
  {
    name: "journal_mode",
    value: "WAL",
    scope: "database",
    why:
      "walrust follows the write-ahead log, and never converts a database by itself. The database remembers it:\n" +
      "once is enough, though saying it each time does no harm.",
  },
  {
    name: "busy_timeout",
    value: "5000",
    scope: "connection",
    why:
      'Milliseconds to wait for a lock, instead of failing with "database is locked". At full write speed walrust\n' +
      "takes the write lock for a few milliseconds now and then; other connections of the application do as well.",
  },
  {
    name: "synchronous",
    value: "NORMAL",
    scope: "connection",
    why:
      "In WAL mode this keeps the database whole whatever happens, and saves an fsync a commit. The price: after a\n" +
      "power failure the last commits may be missing from the database, and a copy in storage may be ahead of it.\n" +
      "Use FULL where a commit must survive that; walrust works with both.",
  },
  {
    name: "wal_autocheckpoint",
    value: "1000",
    scope: "connection",
    why:
      "SQLite's default, in pages. Leave it on: it keeps the log short when walrust is not running. walrust makes\n" +
      "checkpoints of its own beside it; lower values only cost time, and 0 leaves all of them to walrust.",
  },
];

/** Valid SQL, ending with a newline; every statement on a line of its own. */
export function pragmaSql(options: { readonly comments: boolean }): string {
  const head = "-- PRAGMAs for applications whose databases walrust watches.";
  const statements = PRAGMAS.map(({ name, value, scope, why }) => {
    const statement = `PRAGMA ${name} = ${value};`;
    if (!options.comments) return statement;
    const whose = scope === "database" ? "Once for each database." : "For each connection.";
    return [...`${whose} ${why}`.split("\n").map((line) => `-- ${line}`), statement].join("\n");
  });
  return options.comments ? `${[head, ...statements].join("\n\n")}\n` : `${statements.join("\n")}\n`;
}
