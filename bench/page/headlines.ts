/** The measures that README.md and the chart of ratios show, in this order. */
export interface Headline {
  readonly id: string;
  /** By its name in the workload. */
  readonly measure: string;
  readonly label: string;
}

export const HEADLINES: readonly Headline[] = [
  { id: "M1", measure: "RSS, 500", label: "memory, 500 idle databases" },
  { id: "M2", measure: "RSS, 500", label: "memory, 500 databases with 1,000 commits/s" },
  { id: "I1", measure: "CPU share", label: "CPU, 500 idle databases" },
  { id: "I1", measure: "requests", label: "requests, 500 idle databases" },
  { id: "T1", measure: "CPU share", label: "CPU, 500 databases with 1,000 commits/s" },
  { id: "L1", measure: "p50", label: "a commit until it is durable, median" },
  { id: "L1-many", measure: "p95", label: "the same, 100 databases, 95 of 100" },
  { id: "L2", measure: "share of its speed alone", label: "share of a writer's speed alone" },
  { id: "L4", measure: "succeed", label: "own checkpoints that succeed" },
  { id: "U1", measure: "protected", label: "until 500 databases are protected" },
  { id: "S1", measure: "snapshot", label: "first copy of a large database" },
  { id: "S1", measure: "CPU", label: "CPU of the first copy" },
  { id: "R1", measure: "restore", label: "restore of a large database" },
  { id: "Q1", measure: "stored / database", label: "bytes stored, by bytes of database" },
];
