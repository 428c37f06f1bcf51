import type { Target } from "./target.ts";
import { CONFIG_TARGETS } from "./targets/config.ts";
import { ENCRYPTED_TARGETS } from "./targets/encrypted.ts";
import { LOCAL_STATE_TARGETS } from "./targets/local-state.ts";
import { LTX_TARGETS } from "./targets/ltx.ts";
import { S3_TARGETS } from "./targets/s3.ts";
import { SPOKEN_TARGETS } from "./targets/spoken.ts";
import { STORED_TARGETS } from "./targets/stored.ts";
import { WAL_TARGETS } from "./targets/wal.ts";

/** Every parser of walrust: whatever it reads that it has not just made itself. */
export const TARGETS: readonly Target[] = [
  ...WAL_TARGETS,
  ...LTX_TARGETS,
  ...LOCAL_STATE_TARGETS,
  ...STORED_TARGETS,
  ...ENCRYPTED_TARGETS,
  ...S3_TARGETS,
  ...CONFIG_TARGETS,
  ...SPOKEN_TARGETS,
];
