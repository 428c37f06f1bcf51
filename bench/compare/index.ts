import type { Workload } from "../workload.ts";
import { I1 } from "./I1.ts";
import { L1 } from "./L1.ts";
import { L2 } from "./L2.ts";
import { M1 } from "./M1.ts";
import { Q1 } from "./Q1.ts";
import { R1 } from "./R1.ts";
import { S1 } from "./S1.ts";

export const WORKLOADS: readonly Workload[] = [S1, R1, L1, L2, M1, I1, Q1];
