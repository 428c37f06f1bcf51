import { realpathSync } from "node:fs";
import { configInvalid, type Location } from "./config-file.ts";
import type { DatabaseSettings } from "./settings.ts";

export interface DatabaseClaim {
  readonly settings: DatabaseSettings;
  readonly location: Location;
}

/**
 * Refuses one database under two names, and two databases under one: they would overwrite each other in storage.
 * Errors: CONFIG_INVALID.
 */
export function refuseSharing(claims: readonly DatabaseClaim[]): void {
  const byFile = new Map<string, DatabaseClaim>();
  const byName = new Map<string, DatabaseClaim>();
  for (const claim of claims) {
    const { path, name } = claim.settings;
    const file = fileIdentity(path);
    const sameFile = byFile.get(file);
    if (sameFile) throw sharing(claim, sameFile, `${path} is named twice`, "Name each database once.");
    const sameName = byName.get(name);
    if (sameName) {
      throw sharing(
        claim,
        sameName,
        `${path} and ${sameName.settings.path} would share the key prefix ${JSON.stringify(name)}`,
        'Give each its own prefix = "..." under [[databases]].',
      );
    }
    byFile.set(file, claim);
    byName.set(name, claim);
  }
}

function sharing(second: DatabaseClaim, first: DatabaseClaim, message: string, hint: string) {
  const elsewhere = first.location.text === second.location.text ? "" : ` (first: ${first.location.text})`;
  return configInvalid([{ location: second.location, message: message + elsewhere }], hint);
}

/** Through symbolic links one file has many paths. A file that is not there yet has the one it is called by. */
function fileIdentity(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
