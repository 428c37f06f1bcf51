import type { ErrorCode } from "../../src/errors.ts";

/** One parser of walrust: how it is called, what may come of it, and from which inputs fuzzing begins. */
export interface Target {
  readonly name: string;
  /** What must hold of what is accepted, beyond what holds of every input (examine.ts). */
  readonly holds: string;
  /** Texts are changed by their tokens too. */
  readonly input: "bytes" | "text";
  /** Of the grammar. */
  readonly words?: readonly string[];
  /** Valid inputs. */
  seeds(): readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** Puts checksums and lengths right again, behind which the rest of the parser would never be reached. */
  repair?(input: Uint8Array): Uint8Array;
  /** What may be thrown. */
  readonly codes: readonly ErrorCode[];
  /** For `npm test`: what takes long per input gets fewer. */
  readonly inputs: number;
  /**
   * What the parser makes of it; undefined where it says "none" by a value. Throws what the parser throws, and an AssertionError where what must
   * hold does not.
   */
  run(input: Uint8Array): unknown;
}

export const textOf = (input: Uint8Array): string => Buffer.from(input).toString("utf8");
export const inputOf = (text: string): Uint8Array => Buffer.from(text);
