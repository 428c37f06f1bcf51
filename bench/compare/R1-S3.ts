import type { Workload } from "../../src/bench/workload.ts";
import { restoreFrom } from "../../src/bench/workloads/restore.ts";
import { SEAWEEDFS } from "../seaweedfs.ts";

export const R1_S3: Workload = {
  ...restoreFrom(SEAWEEDFS, { goal: 160, goalRatio: 2.1 }),
  id: "R1-S3",
  title: "restore of one large database, from S3",
  storage: "s3",
};
