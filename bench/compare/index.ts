import type { Workload } from "../../src/bench/workload.ts";
import { WORKLOADS as OWN } from "../../src/bench/workloads/index.ts";
import { I1 } from "./I1.ts";
import { Q1 } from "./Q1.ts";

/** Those of `walrust bench`, and what only this repository measures. */
export const WORKLOADS: readonly Workload[] = [...OWN, I1, Q1];
