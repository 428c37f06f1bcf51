import Database from "better-sqlite3";

/** What no backup may do. */
export function forgetLastRow(path) {
  const database = new Database(path);
  database.exec("DELETE FROM rows WHERE n = (SELECT max(n) FROM rows)");
  database.pragma("journal_mode = DELETE");
  database.close();
}
