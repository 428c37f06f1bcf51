import { WalrustError } from "../errors.ts";
import { formatFilename, parseFilename } from "../ltx/filename.ts";
import type { Txid } from "../ltx/format.ts";
import { keyProblem } from "./key-rules.ts";

/**
 * The one module that makes and parses keys of our own layout (formats.md, section 4; litestream-keys.ts has the other one). A key is
 * relative to the storage's root:
 *
 *     {database}/00000002-00000010.ltx     {database}/manifest.json     {database}/writer.json
 */

const MANIFEST = "manifest.json";
const WRITER = "writer.json";

export type StoredKind =
  | { readonly kind: "ltx"; readonly minTxid: Txid; readonly maxTxid: Txid }
  | { readonly kind: "manifest" }
  | { readonly kind: "writer" };

/** Ours, or that of Litestream 0.5 (litestream-keys.ts). */
export type LayoutName = "walrust" | "litestream";

/** What every layout has. */
export interface LtxKeys {
  /** Common start of all keys of the database, with the slash: the prefix to list. */
  readonly prefix: string;
  ltx(minTxid: Txid, maxTxid: Txid): string;
  writer(): string;
}

export interface DatabaseKeys extends LtxKeys {
  manifest(): string;
  /** What a key of this database stands for; undefined for foreign objects and for keys of other databases. */
  parse(key: string): StoredKind | undefined;
}

/** @param name key prefix of the database. Errors: CONFIG_INVALID when it can't be one. */
export function databaseKeys(name: string): DatabaseKeys {
  const problem = keyProblem(name);
  if (problem !== undefined) {
    throw new WalrustError(
      "CONFIG_INVALID",
      `the database name ${JSON.stringify(name)} cannot be used: ${problem}`,
      {
        hint: "Give the database another prefix.",
      },
    );
  }
  return new OwnKeys(name);
}

/** A class, since each database that is open has some. */
class OwnKeys implements DatabaseKeys {
  readonly prefix: string;

  constructor(name: string) {
    this.prefix = `${name}/`;
  }

  ltx(minTxid: Txid, maxTxid: Txid): string {
    return this.prefix + formatFilename({ minTxid, maxTxid });
  }

  manifest(): string {
    return this.prefix + MANIFEST;
  }

  writer(): string {
    return this.prefix + WRITER;
  }

  parse(key: string): StoredKind | undefined {
    return key.startsWith(this.prefix) ? parseLeaf(key.slice(this.prefix.length)) : undefined;
  }
}

/** The database that a key belongs to and what it stands for; undefined for foreign objects. */
export function parseKey(
  key: string,
): { readonly database: string; readonly stored: StoredKind } | undefined {
  const slash = key.lastIndexOf("/");
  if (slash <= 0 || keyProblem(key) !== undefined) return undefined;
  const stored = parseLeaf(key.slice(slash + 1));
  return stored && { database: key.slice(0, slash), stored };
}

function parseLeaf(leaf: string): StoredKind | undefined {
  if (leaf === MANIFEST) return { kind: "manifest" };
  if (leaf === WRITER) return { kind: "writer" };
  const range = parseFilename(leaf);
  return range && { kind: "ltx", minTxid: range.minTxid, maxTxid: range.maxTxid };
}
