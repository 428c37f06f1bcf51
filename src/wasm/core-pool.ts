import { Core, compileCore } from "./core.ts";

/** Exclusive use of one core, until released. */
export interface CoreLease {
  readonly core: Core;
  /** Safe to call twice. Nothing of the core may be used afterwards. */
  release(): void;
}

/** Enough for one snapshot or restore, one large and the small publications; each costs up to 3 MB once touched. */
const MAX_CORES = 3;

/** A few cores that share one compiled module, made when first needed and kept. First come, first served. */
export class CorePool {
  readonly #maxCores: number;
  readonly #idle: Core[] = [];
  readonly #waiting: Array<(lease: CoreLease) => void> = [];
  #module: WebAssembly.Module | undefined;
  #made = 0;

  constructor(options: { readonly maxCores?: number } = {}) {
    this.#maxCores = options.maxCores ?? MAX_CORES;
  }

  /** A core at once, or undefined when all are taken or others wait for one. */
  tryAcquire(): CoreLease | undefined {
    if (this.#waiting.length > 0) return undefined;
    const core = this.#idle.pop() ?? this.#make();
    return core && this.#lease(core);
  }

  /** Waits for a core. Rejects with the signal's reason. */
  acquire(options: { readonly signal?: AbortSignal } = {}): Promise<CoreLease> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const lease = this.tryAcquire();
    if (lease) return Promise.resolve(lease);
    return new Promise((resolve, reject) => {
      const grant = (granted: CoreLease) => {
        signal?.removeEventListener("abort", onAbort);
        resolve(granted);
      };
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(grant), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(grant);
    });
  }

  #make(): Core | undefined {
    if (this.#made === this.#maxCores) return undefined;
    this.#module ??= compileCore();
    this.#made += 1;
    return new Core(this.#module);
  }

  #lease(core: Core): CoreLease {
    let held = true;
    return {
      core,
      release: () => {
        if (!held) return;
        held = false;
        const next = this.#waiting.shift();
        if (next) next(this.#lease(core));
        else this.#idle.push(core);
      },
    };
  }
}
