/**
 * What of walrust runs in the simulation: the program's own code, unchanged. It is bundled by itself and loaded anew for each simulated process, with the
 * modules of Node and SQLite's driver replaced by those of the simulated machine (process.ts).
 */
export { DatabaseTask } from "../../src/daemon/database-task.ts";
export { Parking } from "../../src/daemon/parking.ts";
export { Sha256 } from "../../src/digest.ts";
export { toWalrustError, WalrustError } from "../../src/errors.ts";
export { silentLog } from "../../src/observability/silent-log.ts";
export { restore } from "../../src/restore/restore.ts";
export { verify } from "../../src/restore/verify.ts";
export { compact } from "../../src/retention/compact.ts";
export { CheckpointerWatch } from "../../src/sqlite/checkpointer-watch.ts";
export { Core, compileCore } from "../../src/wasm/core.ts";
export { CorePool } from "../../src/wasm/core-pool.ts";
