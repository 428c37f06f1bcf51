import type { Workload } from "../workload.ts";
import { C1 } from "./codec.ts";
import { L1 } from "./latency.ts";
import { M1 } from "./memory.ts";
import { R1 } from "./restore.ts";
import { S1 } from "./snapshot.ts";
import { L2 } from "./throughput.ts";

/** What `walrust bench` measures, in this order. */
export const WORKLOADS: readonly Workload[] = [M1, L1, L2, S1, R1, C1];
