import { vi } from "vitest";

/*
 * WALRUST_PROPERTY_RUNS=50 npx vitest run property    tries every property 50 times as often
 * WALRUST_PROPERTY_SEED=...                           begins with the seed that a failure printed
 */
const FACTOR = Number(process.env["WALRUST_PROPERTY_RUNS"] ?? 1);
const SEED = process.env["WALRUST_PROPERTY_SEED"];

if (FACTOR > 1) vi.setConfig({ testTimeout: 60_000 * FACTOR });

/** @param count so often that the file takes a few seconds */
export function runs(count: number): { readonly numRuns: number; readonly seed?: number } {
  return { numRuns: Math.ceil(count * FACTOR), ...(SEED !== undefined && { seed: Number(SEED) }) };
}
