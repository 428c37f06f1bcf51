import { aessiv } from "@noble/ciphers/aes.js";
import { WalrustError } from "../../errors.ts";
import { keyProblem } from "../key-rules.ts";

/** What a name is filled up to with zeros: its length tells less then. No name holds a NUL (key-rules.ts). */
const GRAIN_BYTES = 16;
const SIV_BYTES = 16;
/** What a segment of 200 base64url characters has room for. */
export const MAX_NAME_BYTES = 128;
/** Folders whose names are remembered: as many databases are in use at once at most. */
const MAX_REMEMBERED = 10_000;

/**
 * The names of objects. Each folder's name is AES-256-SIV (RFC 5297) in base64url: deterministic, since an object must be found by its name, and
 * authenticated, so that what is not ours is told apart. Its associated data is the plain path of the folder that it is in: one name in two
 * folders becomes two. The last part of a key stays as it is: it tells TXIDs, and what is a manifest.
 *
 *     tenants/eu/00000001-00000009.ltx  ->  {SIV("tenants", in "")}/{SIV("eu", in "tenants/")}/00000001-00000009.ltx
 */
export class NameCipher {
  readonly #key: Uint8Array;
  readonly #sealed = new Map<string, string>();
  readonly #opened = new Map<string, string | undefined>();

  /** @param key 64 bytes */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Errors: CONFIG_INVALID when the key becomes too long. */
  seal(key: string): string {
    const { folder, leaf } = split(key);
    const sealed = this.sealFolder(folder) + leaf;
    const problem = keyProblem(sealed);
    if (problem !== undefined) throw tooLong(folder, problem);
    return sealed;
  }

  /** @param folder empty, or a path that ends with a slash. Errors: CONFIG_INVALID when a name in it is too long. */
  sealFolder(folder: string): string {
    if (folder === "") return "";
    return remembered(this.#sealed, folder, () => {
      const { folder: parent, leaf: name } = split(folder.slice(0, -1));
      return `${this.sealFolder(parent)}${this.#sealName(name, parent)}/`;
    });
  }

  /** Undefined: not sealed with this key. */
  open(sealed: string): string | undefined {
    if (keyProblem(sealed) !== undefined) return undefined;
    const { folder, leaf } = split(sealed);
    const plain = this.#openFolder(folder);
    return plain === undefined ? undefined : plain + leaf;
  }

  #openFolder(sealed: string): string | undefined {
    if (sealed === "") return "";
    return remembered(this.#opened, sealed, () => {
      const { folder, leaf: name } = split(sealed.slice(0, -1));
      const parent = this.#openFolder(folder);
      const plain = parent === undefined ? undefined : this.#openName(name, parent);
      return plain === undefined ? undefined : `${parent}${plain}/`;
    });
  }

  #sealName(name: string, parent: string): string {
    const bytes = Buffer.from(name);
    if (bytes.length > MAX_NAME_BYTES) {
      throw tooLong(`${parent}${name}/`, `a part between slashes is longer than ${MAX_NAME_BYTES} bytes`);
    }
    const padded = new Uint8Array(Math.ceil(bytes.length / GRAIN_BYTES) * GRAIN_BYTES);
    padded.set(bytes);
    return Buffer.from(this.#cipher(parent).encrypt(padded)).toString("base64url");
  }

  #openName(sealed: string, parent: string): string | undefined {
    if (!looksSealed(sealed)) return undefined;
    try {
      const padded = this.#cipher(parent).decrypt(Buffer.from(sealed, "base64url"));
      return Buffer.from(padded).toString().replace(/\0+$/, "");
    } catch {
      return undefined; // sealed with another key, elsewhere, or never
    }
  }

  #cipher(parent: string) {
    return aessiv(this.#key, Buffer.from(parent));
  }
}

/** Whether a name has the form of a sealed one, with whatever key: base64url as it is written, of a size that comes about. */
export function looksSealed(name: string): boolean {
  const bytes = Buffer.from(name, "base64url");
  const isWhole = bytes.length % GRAIN_BYTES === 0 && bytes.length >= SIV_BYTES + GRAIN_BYTES;
  return isWhole && bytes.toString("base64url") === name;
}

function split(key: string): { readonly folder: string; readonly leaf: string } {
  const slash = key.lastIndexOf("/") + 1;
  return { folder: key.slice(0, slash), leaf: key.slice(slash) };
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  const before = known.get(key);
  if (before !== undefined || known.has(key)) return before as T;
  const made = make();
  if (known.size >= MAX_REMEMBERED) known.clear();
  known.set(key, made);
  return made;
}

function tooLong(folder: string, problem: string): WalrustError {
  return new WalrustError(
    "CONFIG_INVALID",
    `the name ${JSON.stringify(folder.slice(0, -1))} cannot be encrypted: ${problem}`,
    { hint: "Give the database a shorter prefix." },
  );
}
