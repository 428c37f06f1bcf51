import { sampleTree } from "../../src/bench/process-tree.ts";
import { KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import type { Workload } from "../../src/bench/workload.ts";
import { drainAndProve, FIRST_START, protect, someOf, withCrowd } from "../crowd.ts";
import { COUNTING_SERVER_TEXT } from "../storage-process.ts";

/** Of a bucket in another country. */
const DISTANCE_MS = 50;
/** The proofs are read from far away too. */
const PROVEN = 20;

/** How long it takes until many databases are protected by a storage that takes its time for each answer. */
export const U1_FAR: Workload = {
  id: "U1-far",
  title: "until many databases are protected, in a storage far away",
  compares: true,
  storage: "s3",
  keepsFiles: true,
  knobs: ({ databases }) => [
    FIRST_START.databases(databases),
    `${FIRST_START.protected}; peak RSS until then`,
    ...KNOBS_TEXT,
    `storage: ${COUNTING_SERVER_TEXT}, and sends each answer ${DISTANCE_MS} ms later`,
    `proof: ${PROVEN} databases, evenly spread over the list`,
  ],
  measures: () => [
    { name: "protected", unit: "s", better: "less" },
    { name: "CPU until protected", unit: "s", better: "less" },
    { name: "peak RSS", unit: "MB", better: "less" },
  ],
  run: (tool, bench) => {
    const { databases: count } = bench.options;
    return withCrowd(tool, bench, { count, distanceMs: DISTANCE_MS }, async (crowd) => {
      const { daemon, seconds } = await protect(crowd);
      const { cpuSeconds, peakRssBytes } = sampleTree(daemon.pid);
      await drainAndProve(crowd, daemon, someOf(crowd, PROVEN));
      return { protected: seconds, "CPU until protected": cpuSeconds, "peak RSS": peakRssBytes / 1e6 };
    });
  },
};
