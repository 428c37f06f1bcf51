import path from "node:path";

/** `app` for `/data/app.db`, `app.db` for `/data/app.db.bak`: what a database is called when nobody says otherwise. */
export function stemOf(databasePath: string): string {
  return path.parse(databasePath).name;
}

/** `/tenants/eu/` -> `tenants/eu`. */
export function trimSlashes(prefix: string): string {
  return prefix.replace(/^\/+|\/+$/g, "");
}
