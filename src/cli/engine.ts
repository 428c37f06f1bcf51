import type { Clock } from "../clock.ts";
import type { EventSink } from "../events.ts";

/** Of V8, in a daemon that has little to do: code is optimized late, since the optimizing compiler keeps 3 to 4 MB, and garbage collected early. */
const SMALL = ["--interrupt-budget=1000000", "--incremental-marking-soft-trigger=50"];
/** What V8 does by itself: under load the processor's time is the scarcer. */
const FAST = ["--interrupt-budget=67584", "--incremental-marking-soft-trigger=0"];

/** All functions of a module are compiled when it is made, without what counts how often they run. */
const WASM_SMALL = ["--no-wasm-lazy-compilation", "--wasm-tier-up-filter=1000000"];
const WASM_DEFAULT = ["--wasm-lazy-compilation", "--wasm-tier-up-filter=-1"];

const WINDOW_MS = 2000;
/** More publications a second are a load, fewer than half of them none. */
const LOAD_PER_SECOND = 200;

/** Trades memory for speed while a daemon is under load, by flags of V8 that may be set at any time. For a process that is the daemon and nothing else. */
export class Engine {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #setFlag: (flag: string) => void;
  #isFast = false;
  #published = 0;
  #sinceMs: number;

  constructor(clock: Pick<Clock, "monotonicMs">, setFlag: (flag: string) => void) {
    this.#clock = clock;
    this.#setFlag = setFlag;
    this.#sinceMs = clock.monotonicMs();
    this.#set(SMALL);
  }

  /** Passes all on that it hears. */
  hearing(events: EventSink): EventSink {
    return (event) => {
      if (event.type === "published") this.#count();
      events(event);
    };
  }

  #count(): void {
    this.#published += 1;
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs < WINDOW_MS) return;
    const perSecond = (this.#published * 1000) / elapsedMs;
    this.#published = 0;
    this.#sinceMs = nowMs;
    const isFast = perSecond >= LOAD_PER_SECOND / (this.#isFast ? 2 : 1);
    if (isFast === this.#isFast) return;
    this.#isFast = isFast;
    this.#set(isFast ? FAST : SMALL);
  }

  #set(flags: readonly string[]): void {
    for (const flag of flags) this.#setFlag(flag);
  }
}

/** See StorageDependencies. */
export function compilerForSize(
  setFlag: (flag: string) => void,
): (code: Uint8Array<ArrayBuffer>) => WebAssembly.Module {
  return (code) => {
    for (const flag of WASM_SMALL) setFlag(flag);
    try {
      return new WebAssembly.Module(code);
    } finally {
      for (const flag of WASM_DEFAULT) setFlag(flag);
    }
  };
}
