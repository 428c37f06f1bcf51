import { readFileSync } from "node:fs";

interface Vectors {
  readonly master: string;
  readonly salt: string;
  readonly proof: string;
  readonly objects: readonly {
    readonly key: string;
    readonly size: number;
    readonly stored_size: number;
    /** Of the object. */
    readonly sha256: string;
    /** The small ones in hex. */
    readonly object?: string;
  }[];
  readonly names: Readonly<Record<string, string>>;
}

const FILE = new URL("../../fixtures/encrypted/vectors.json", import.meta.url);

/** What another implementation made (test/fixtures/encrypted-make). */
export const VECTORS: Vectors = JSON.parse(readFileSync(FILE, "utf8"));

/** The bodies of its objects. */
export function vectorBody(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) & 0xff);
}

export const vectorSalt = () => Buffer.from(VECTORS.salt, "hex");
