import Database from "better-sqlite3";
import { actAsWalrust } from "./act-as-walrust.mjs";

actAsWalrust((path) => {
  const database = new Database(path);
  database.exec("DELETE FROM rows WHERE n = (SELECT max(n) FROM rows)");
  database.pragma("journal_mode = DELETE");
  database.close();
});
