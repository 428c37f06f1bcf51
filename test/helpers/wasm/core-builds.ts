import { Core, compileCore } from "../../../src/wasm/core.ts";
import { CORE_WASM_BASE64 as DEBUG } from "../../../src/wasm/generated/debug.ts";
import { CORE_WASM_BASE64 as RELEASE } from "../../../src/wasm/generated/release.ts";

/** Both builds of the core, for describe.each: a kernel must do the same in both, and no debug assertion may fail. */
export const coreBuilds = [
  { build: "release", makeCore: () => new Core(compileCore(RELEASE)) },
  { build: "debug", makeCore: () => new Core(compileCore(DEBUG)) },
] as const;
