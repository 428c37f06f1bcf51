import type { Workload } from "../../src/bench/workload.ts";
import { WORKLOADS as OWN } from "../../src/bench/workloads/index.ts";
import { I1 } from "./I1.ts";
import { L1_MANY } from "./L1-many.ts";
import { L3 } from "./L3.ts";
import { L4 } from "./L4.ts";
import { L5 } from "./L5.ts";
import { M2 } from "./M2.ts";
import { M3 } from "./M3.ts";
import { M4 } from "./M4.ts";
import { Q1 } from "./Q1.ts";
import { R1_INCREMENTS } from "./R1-increments.ts";
import { R1_S3 } from "./R1-S3.ts";
import { S1_S3 } from "./S1-S3.ts";
import { T1 } from "./T1.ts";
import { U1 } from "./U1.ts";
import { U1_FAR } from "./U1-far.ts";

/** Those of `walrust bench`, and what only this repository measures. */
export const WORKLOADS: readonly Workload[] = [
  ...OWN,
  I1,
  L1_MANY,
  L3,
  L4,
  L5,
  M2,
  M3,
  M4,
  T1,
  U1,
  U1_FAR,
  Q1,
  S1_S3,
  R1_S3,
  R1_INCREMENTS,
];
