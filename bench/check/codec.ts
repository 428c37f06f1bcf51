import { createHash } from "node:crypto";
import type { Workload } from "../../src/bench/workload.ts";
import { C1 } from "../../src/bench/workloads/codec.ts";

const BASELINE_BYTES = 32e6;
const ROUNDS = 3;

/** The codec beside MD5 of Node's own library: no processor has instructions for it, so it counts the speed of the moment, and nothing else. */
export const CODEC: Workload = {
  ...C1,
  id: "codec",
  measures: (options) => [{ name: "MD5", unit: "MB/s", better: "more" }, ...C1.measures(options)],
  run: async (tool, bench) => {
    const before = baseline();
    const values = await C1.run(tool, bench);
    return { MD5: Math.max(before, baseline()), ...values };
  },
};

function baseline(): number {
  const bytes = Buffer.alloc(BASELINE_BYTES, "a row of a table ");
  const speeds = Array.from({ length: ROUNDS }, () => {
    const begun = process.cpuUsage();
    createHash("md5").update(bytes).digest();
    const { user, system } = process.cpuUsage(begun);
    return bytes.length / (user + system);
  });
  return Math.max(...speeds);
}
