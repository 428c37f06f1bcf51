import type { Clock } from "../clock.ts";
import type { EventSink } from "../events.ts";
import { Pace, type PaceLimit } from "../pace.ts";

/** Of V8, in a daemon that has little to do: code is optimized late, since the optimizing compiler keeps 3 to 4 MB. */
const OPTIMIZE_LATE = "--interrupt-budget=1000000";
/** What V8 does by itself: under load the processor's time is the scarcer. */
const OPTIMIZE_SOON = "--interrupt-budget=67584";
/** V8's quick compiler is off (main.ts), but a log that grows at a writer's full speed is not followed by an interpreter. */
const COMPILE_QUICKLY = "--sparkplug";
const INTERPRET = "--no-sparkplug";

/** For a command that reads much and ends: its heap may double before garbage is collected. That is a tenth of a restore's time, and hardly a MB. */
export const COLLECT_LATE = "--heap-growing-percent=100";

/** All functions of a module are compiled when it is made, without what counts how often they run. */
const WASM_SMALL = ["--no-wasm-lazy-compilation", "--wasm-tier-up-filter=1000000"];
const WASM_DEFAULT = ["--wasm-lazy-compilation", "--wasm-tier-up-filter=-1"];

const PUBLICATIONS: PaceLimit = { windowMs: 2000, busyPerSecond: 200 };
/** TXIDs, which are commits where the layout counts them. */
const COMMITS: PaceLimit = { windowMs: 2000, busyPerSecond: 4000 };

/** Trades memory for speed while a daemon is under load, by flags of V8 that may be set at any time. For a process that is the daemon and nothing else. */
export class Engine {
  readonly #publications: Pace;
  readonly #commits: Pace;
  #published = 0;
  #committed = 0;

  constructor(clock: Pick<Clock, "monotonicMs">, setFlag: (flag: string) => void) {
    setFlag(OPTIMIZE_LATE);
    this.#publications = new Pace(clock, PUBLICATIONS, 0, (isBusy) =>
      setFlag(isBusy ? OPTIMIZE_SOON : OPTIMIZE_LATE),
    );
    this.#commits = new Pace(clock, COMMITS, 0, (isBusy) => setFlag(isBusy ? COMPILE_QUICKLY : INTERPRET));
  }

  /** Passes all on that it hears. */
  hearing(events: EventSink): EventSink {
    return (event) => {
      if (event.type === "published") {
        this.#published += 1;
        this.#committed += Number(event.maxTxid - event.minTxid + 1n);
        this.#publications.note(this.#published);
        this.#commits.note(this.#committed);
      }
      events(event);
    };
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
