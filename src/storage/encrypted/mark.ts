import { timingSafeEqual } from "node:crypto";
import { isWalrustError, WalrustError } from "../../errors.ts";
import type { Storage } from "../storage.ts";
import type { MasterKey } from "./master-key.ts";

/**
 * walrust-encryption.json at the root of a storage says that its objects are encrypted, and proves a key without telling it. It has a plain
 * name, so that it is found without a key. Nothing depends on it: without it, the objects themselves prove the key (key-proof.ts).
 *
 *     version 1 | created, RFC 3339 | salt, 64 hex digits | proof, 64 hex digits: HKDF of the key and the salt
 */
export const MARK_KEY = "walrust-encryption.json";

export interface Mark {
  readonly salt: Uint8Array;
  readonly proof: Uint8Array;
}

const VERSION = 1;
const MAX_BYTES = 4096;
const HEX_32_BYTES = /^[0-9a-f]{64}$/;

export function formatMark(master: MasterKey, salt: Uint8Array, nowMs: number): Uint8Array {
  const document = {
    version: VERSION,
    created: new Date(nowMs).toISOString(),
    salt: Buffer.from(salt).toString("hex"),
    proof: Buffer.from(master.proof(salt)).toString("hex"),
  };
  return Buffer.from(`${JSON.stringify(document)}\n`);
}

/** Errors: INTEGRITY_FORMAT; INTEGRITY_VERSION for one of a newer walrust. */
export function parseMark(bytes: Uint8Array): Mark {
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw unusable("it is not JSON", error);
  }
  const { version, salt, proof } = (document ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof version === "number" && version > VERSION) {
    throw new WalrustError("INTEGRITY_VERSION", `${MARK_KEY} was written by a newer walrust`, {
      hint: "Update walrust.",
    });
  }
  if (version !== VERSION || !isHex(salt) || !isHex(proof))
    throw unusable("its fields are not those of a mark");
  return { salt: Buffer.from(salt, "hex"), proof: Buffer.from(proof, "hex") };
}

export function fits(master: MasterKey, { salt, proof }: Mark): boolean {
  return timingSafeEqual(master.proof(salt), proof);
}

/** Undefined: the storage has none. @param storage as it is, without a key. Errors: those of storage and of parseMark. */
export async function readMark(storage: Storage): Promise<Mark | undefined> {
  try {
    const { body } = await storage.get(MARK_KEY, { maxBytes: MAX_BYTES });
    return parseMark(body);
  } catch (error) {
    if (isWalrustError(error, "STORAGE_NOT_FOUND")) return undefined;
    throw error;
  }
}

function isHex(value: unknown): value is string {
  return typeof value === "string" && HEX_32_BYTES.test(value);
}

function unusable(reason: string, cause?: unknown): WalrustError {
  return new WalrustError("INTEGRITY_FORMAT", `${MARK_KEY} cannot be used: ${reason}`, {
    cause,
    hint: "If it was damaged, delete it: walrust then proves the key by the objects, and writes it again.",
    details: { object: MARK_KEY },
  });
}
