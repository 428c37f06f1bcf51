/** The public library (README.md, "Library"). */
export { type ErrorCode, isWalrustError, WalrustError } from "./errors.ts";
export { type RestoreOptions, Walrust, type WalrustOptions, type WatchOptions } from "./library/walrust.ts";
