import { keptInputs } from "./corpus.ts";
import { examine, type Outcome } from "./examine.ts";
import { BYTE_MUTATORS, MAX_INPUT_BYTES, type Mutator } from "./mutate-bytes.ts";
import { textMutators } from "./mutate-text.ts";
import { Random } from "./random.ts";
import type { Target } from "./target.ts";
import { Watchdog } from "./watchdog.ts";

export interface Found {
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** What the mutations of an input are piled up to. */
const MOST_MUTATIONS = 6;
const MOST_INPUTS_HELD = 2000;

/**
 * Mutates inputs of a corpus and examines them. What comes of an input is the feedback: one that is refused with a message that was not seen
 * before, or accepted in another shape, has reached another place of the parser and joins the corpus.
 */
export class Fuzzer {
  readonly #target: Target;
  readonly #random: Random;
  readonly #corpus: Uint8Array[];
  readonly #mutators: readonly Mutator[];
  readonly #watchdog: Watchdog;
  readonly #seen = new Set<string>();
  /** The first of them, for a target that refuses everything. */
  refusal: string | undefined;
  examined = 0;
  accepted = 0;

  static async begin(target: Target, seed: number): Promise<Fuzzer> {
    const kept = keptInputs(target.name).map(({ bytes }) => bytes);
    const seeds = await target.seeds();
    // Copies, and no Buffers: a slice of one shares its memory, and mutating it would change the seed.
    const corpus = [...seeds, ...kept].map((bytes) => new Uint8Array(bytes));
    return new Fuzzer(target, seed, corpus);
  }

  private constructor(target: Target, seed: number, corpus: Uint8Array[]) {
    this.#target = target;
    this.#random = new Random(seed);
    this.#corpus = corpus;
    this.#watchdog = new Watchdog(target.name);
    const ofText = target.input === "text" ? textMutators(target.words ?? []) : [];
    // A text is broken as bytes now and then, too.
    this.#mutators = ofText.length === 0 ? BYTE_MUTATORS : [...ofText, ...ofText, ...BYTE_MUTATORS];
  }

  /** Outcomes told apart so far. */
  get outcomes(): number {
    return this.#seen.size;
  }

  /** Examines inputs until `isOver` says so, or one is a finding. */
  async run(isOver: () => boolean): Promise<Found | undefined> {
    try {
      while (!isOver()) {
        const input = this.#next();
        const error = await this.examine(input);
        if (error !== undefined) return { input, error };
      }
      return undefined;
    } finally {
      this.#watchdog.rest();
    }
  }

  /** What is wrong with an input; undefined: nothing. */
  async examine(input: Uint8Array): Promise<unknown> {
    this.#watchdog.watch(input);
    this.examined += 1;
    try {
      this.#learn(input, await examine(this.#target, input));
      return undefined;
    } catch (error) {
      return error;
    }
  }

  async close(): Promise<void> {
    await this.#watchdog.close();
  }

  #next(): Uint8Array {
    const random = this.#random;
    let input = random.pick(this.#corpus);
    const longest = Math.max(MAX_INPUT_BYTES, input.length);
    const mutations = 1 + random.small(MOST_MUTATIONS);
    for (let i = 0; i < mutations; i++) {
      const mutate = random.pick(this.#mutators);
      input = new Uint8Array(mutate(input, random, random.pick(this.#corpus))).subarray(0, longest);
    }
    return this.#target.repair !== undefined && !random.chance(4)
      ? new Uint8Array(this.#target.repair(input))
      : input;
  }

  #learn(input: Uint8Array, outcome: Outcome): void {
    if (outcome.kind === "accepted" && outcome.value !== undefined) this.accepted += 1;
    if (outcome.kind === "refused") this.refusal ??= `${outcome.code} ${outcome.message}`;
    const shape = shapeOf(outcome);
    if (this.#seen.has(shape)) return;
    this.#seen.add(shape);
    if (this.#corpus.length < MOST_INPUTS_HELD) this.#corpus.push(input);
  }
}

/** Two inputs with one shape took about the same way: messages without numbers and names, values by their types. */
function shapeOf(outcome: Outcome): string {
  if (outcome.kind === "refused")
    return `${outcome.code} ${outcome.message.replace(/\d+|"[^"]*"/g, "#").slice(0, 200)}`;
  return shapeOfValue(outcome.value, 2).slice(0, 300);
}

/** Numbers and texts by how large they are. */
function shapeOfScalar(value: unknown): string {
  if (typeof value === "number")
    return `n${Number.isInteger(value) ? Math.ceil(Math.log2(Math.abs(value) + 1) / 2) : value}`;
  if (typeof value === "bigint") return `b${Math.ceil(value.toString(2).length / 4)}`;
  if (typeof value === "string") return `t${Math.ceil(Math.log2(value.length + 1))}`;
  return String(value);
}

function shapeOfValue(value: unknown, depth: number): string {
  if (value === null || typeof value !== "object") return shapeOfScalar(value);
  if (depth === 0) return "object";
  const parts = Object.entries(value).slice(0, 20);
  if (Array.isArray(value))
    return `[${Math.min(value.length, 3)} ${parts.slice(0, 2).map(([, part]) => shapeOfValue(part, depth - 1))}]`;
  return `{${parts.map(([key, part]) => `${key}:${shapeOfValue(part, depth - 1)}`)}}`;
}
