import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { inspect, isDeepStrictEqual } from "node:util";
import { getHeapStatistics } from "node:v8";
import { type ErrorCode, isWalrustError } from "../../src/errors.ts";
import { sandbox } from "./sandbox.ts";
import type { Target } from "./target.ts";

/** What came of an input. */
export type Outcome =
  | { readonly kind: "accepted"; readonly value: unknown }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string };

/** An input for which something does not hold that must. */
export class Finding extends Error {
  override readonly name = "Finding";
}

/** Of this process, all its threads: what else the machine does must not count. */
const CPU_LIMIT_MS = 3000;
/** An input may cost memory by its length, and no more by what it says. */
const MEMORY_LIMIT_BYTES = 48 * 1024 * 1024;
const MEMORY_LIMIT_PER_BYTE = 512;

/**
 * Runs a target on an input, twice. Must hold of all: a result, or a WalrustError with a code that the target names; the same both times; time
 * and memory bounded; nothing written to disk. @throws Finding
 */
export async function examine(target: Target, input: Uint8Array): Promise<Outcome> {
  const heldBytes = heldMemory();
  const cpu = process.cpuUsage();
  const first = await outcomeOf(target, input);
  const { user, system } = process.cpuUsage(cpu);
  const grownBytes = heldMemory() - heldBytes;
  const cpuMs = (user + system) / 1000;
  if (cpuMs > CPU_LIMIT_MS) throw new Finding(`took ${Math.round(cpuMs)} ms`);
  if (grownBytes > MEMORY_LIMIT_BYTES + input.length * MEMORY_LIMIT_PER_BYTE)
    throw new Finding(`took ${Math.round(grownBytes / 1024 / 1024)} MiB of memory for ${input.length} bytes`);
  const second = await outcomeOf(target, input);
  if (!isDeepStrictEqual(first, second))
    throw new Finding(`two runs differ: ${inspect(first)} and ${inspect(second)}`);
  const written = readdirSync(sandbox().empty);
  if (written.length > 0) throw new Finding(`wrote ${written.join(", ")}`);
  return first;
}

async function outcomeOf(target: Target, input: Uint8Array): Promise<Outcome> {
  try {
    return { kind: "accepted", value: await target.run(new Uint8Array(input)) };
  } catch (error) {
    if (isWalrustError(error) && target.codes.includes(error.code)) {
      assertUsable(error);
      return { kind: "refused", code: error.code, message: error.message };
    }
    if (error instanceof assert.AssertionError) throw new Finding(error.message, { cause: error });
    const what = isWalrustError(error) ? `an unexpected ${error.code}: ${error.message}` : inspect(error);
    throw new Finding(`threw ${what.slice(0, 2000)}`, { cause: error });
  }
}

/** What is told of an error must be able to be told. */
function assertUsable({
  exitCode,
  retryable,
  message,
}: {
  exitCode: number;
  retryable: boolean;
  message: string;
}) {
  if (!(exitCode >= 1 && exitCode <= 6) || typeof retryable !== "boolean" || message === "")
    throw new Finding(`an error with exit code ${exitCode}`);
}

/** Garbage counts, too: what was asked for, not what is left of it. */
function heldMemory(): number {
  const { used_heap_size: heapBytes, external_memory: externalBytes } = getHeapStatistics();
  return heapBytes + externalBytes;
}
