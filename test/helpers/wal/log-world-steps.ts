import fc from "fast-check";
import { FRAME_SIZE, type LogWorld } from "./log-world.ts";

/** What happens to a log, in words that a failure can be read by. */
export type WorldStep =
  | {
      readonly do: "commit";
      readonly frames: number;
      readonly restart: boolean;
      readonly isNew: boolean;
      readonly limit: { readonly frames: number; readonly bytes: number } | undefined;
    }
  | { readonly do: "roll back" | "die"; readonly frames: number }
  | { readonly do: "checkpoint"; readonly mode: "passive" | "restart" | "truncate" }
  | { readonly do: "lose power"; readonly lost: readonly number[] }
  | { readonly do: "crash" }
  | { readonly do: "reader begins" | "reader ends" | "close all" | "look" | "pin" | "unpin" };

export const plain = <T extends string>(...names: readonly T[]) =>
  fc.constantFrom(...names).map((name) => ({ do: name }) as const);
const frames = fc.integer({ min: 1, max: 3 });

/** Never just behind a frame: tail.ts says what that hides. */
const limit = fc.option(
  fc.record({ frames: fc.nat(4), bytes: fc.integer({ min: 1, max: FRAME_SIZE - 1 }) }),
  {
    nil: undefined,
  },
);

const commit = fc.record({
  do: fc.constant("commit" as const),
  frames,
  restart: fc.boolean(),
  isNew: fc.boolean().map((isOld) => !isOld),
  limit,
});

/** Frames that did not reach the disk: the last ones, or any, since nothing orders them. */
const lost = fc.oneof(
  fc.nat(12).map((first) => Array.from({ length: 40 }, (_, i) => first + i)),
  fc.array(fc.nat(12), { maxLength: 6 }),
);

const checkpoint = fc.record({
  do: fc.constant("checkpoint" as const),
  mode: fc.constantFrom("passive" as const, "restart" as const, "truncate" as const),
});
const losePower = fc.record({ do: fc.constant("lose power" as const), lost });

/** An application alone, that commits and checkpoints, and a machine that may lose its power: nobody holds the log as it is. */
export const calmStep: fc.Arbitrary<WorldStep> = fc.oneof(
  { weight: 6, arbitrary: commit },
  { weight: 3, arbitrary: checkpoint },
  { weight: 1, arbitrary: losePower },
);

export const worldStep: fc.Arbitrary<WorldStep> = fc.oneof(
  { weight: 12, arbitrary: commit },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("roll back" as const, "die" as const), frames }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("checkpoint" as const),
      mode: fc.constantFrom("passive" as const, "restart" as const, "truncate" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lose power" as const), lost }) },
  { weight: 5, arbitrary: plain("look", "pin", "unpin") },
  { weight: 2, arbitrary: fc.oneof(plain("reader begins", "reader ends", "close all"), plain("crash")) },
);

/** Many, and in a failure as few as tell it. */
export function stepsOf<T>(step: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> {
  return fc.array(step, { maxLength: 40, size: "max" });
}

export function takeStep(world: LogWorld, step: WorldStep): void {
  switch (step.do) {
    case "commit":
      world.commit(step.frames, step);
      break;
    case "roll back":
      world.rollBack(step.frames);
      break;
    case "die":
      world.die(step.frames);
      break;
    case "checkpoint":
      world.checkpoint(step.mode);
      break;
    case "lose power":
      world.losePower((slot) => !step.lost.includes(slot));
      break;
    case "reader begins":
      world.readerBegins();
      break;
    case "reader ends":
      world.readerEnds();
      break;
    case "close all":
      world.closeAll();
      break;
    case "crash":
      world.crash();
      break;
    case "unpin":
      world.unpin();
      break;
    default: // what we do
  }
}
