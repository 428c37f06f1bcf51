import { isMarkOfTheDead, ownMark } from "../process-identity.ts";
import { RESERVED_PREFIX } from "./key-rules.ts";

/** Names of files on their way to becoming objects, and of claims (file-claim.ts). No list shows them. */
export const TEMP_PREFIX = `${RESERVED_PREFIX}tmp-`;
export const CLAIM_PREFIX = `${TEMP_PREFIX}claim-`;

/** @param random uniform in [0, 1) */
export function tempName(random: () => number): string {
  return `${TEMP_PREFIX}${ownMark()}.${Math.floor(random() * 2 ** 52).toString(36)}`;
}

/** A temporary file that nobody will give its name any more: the process that made it is dead. */
export function isLeftByTheDead(name: string): boolean {
  return name.startsWith(TEMP_PREFIX) && isMarkOfTheDead(name.slice(TEMP_PREFIX.length).split(".")[0] ?? "");
}
