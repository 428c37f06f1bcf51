import type { Workload } from "../../src/bench/workload.ts";
import { snapshotInto } from "../../src/bench/workloads/snapshot.ts";
import { SEAWEEDFS } from "../seaweedfs.ts";

export const S1_S3: Workload = {
  ...snapshotInto(SEAWEEDFS, { goal: 100, goalRatio: 3.7 }),
  id: "S1-S3",
  title: "first snapshot of one large database, on S3",
  storage: "s3",
};
