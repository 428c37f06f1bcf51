import fc from "fast-check";
import { expect, test } from "vitest";
import { decideLease } from "../../src/replication/lease-decision.ts";
import type { WriterRecord } from "../../src/storage/writer-record.ts";
import { runs } from "../helpers/property-runs.ts";

/** What a record names. */
type Held = Pick<WriterRecord, "id" | "epoch" | "boot">;

/** A place that may write: a machine with its shadow folder. */
interface Place {
  memory: { readonly id: bigint; readonly epoch: number; readonly taking: number } | undefined;
  /** The run of the machine. */
  boot: number;
  /** What the process that runs there believes to hold. */
  holds: Held | undefined;
}

const step = fc.record({
  place: fc.nat(3),
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("start" as const, "take over" as const) },
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        "start, dies before the record" as const,
        "start, dies behind the record" as const,
        "dies" as const,
        "boots" as const,
        "is copied" as const,
        "looks" as const,
        "forgets" as const,
        "the record is deleted" as const,
      ),
    },
  ),
});

/** Storage with conditional writes: the record is replaced as it was read. */
class Writers {
  #record: WriterRecord | undefined;
  #ids = 0n;
  #boots = 0;
  readonly #places: Place[] = Array.from({ length: 4 }, () => this.#machine(undefined));

  take({ place: number, what }: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
    const place = this.#places[number];
    if (place === undefined) return;
    if (what === "dies") place.holds = undefined;
    else if (what === "boots") {
      place.holds = undefined;
      this.#boots += 1;
      place.boot = this.#boots;
    } else if (what === "forgets") {
      place.holds = undefined;
      place.memory = undefined;
    } else if (what === "is copied") this.#places[(number + 1) % 4] = this.#machine(place.memory);
    else if (what === "looks") this.#look(place);
    else if (what === "the record is deleted") this.#record = undefined;
    else this.#start(place, what);
  }

  /** Of those who believe that they write, at most one is named by the record: all others are fenced at their next look. */
  expectOneWriter(): void {
    const named = this.#places.filter(({ holds }) => holds && this.#isNamed(holds));
    expect(named.length, "writers that the record names").toBeLessThanOrEqual(1);
  }

  #look(place: Place): void {
    if (place.holds && !this.#isNamed(place.holds)) place.holds = undefined;
  }

  #start(
    place: Place,
    what: "start" | "take over" | "start, dies before the record" | "start, dies behind the record",
  ): void {
    place.holds = undefined;
    const { memory } = place;
    const boot = String(place.boot);
    const decision = decideLease({
      record: this.#record,
      memory,
      isSameBoot: this.#record?.boot === boot,
      holderMayBeAlive: true,
      takeOver: what === "take over",
    });
    if (decision.kind === "refuse") {
      expect(memory?.epoch ?? 0, "only who held it is refused").toBeGreaterThan(0);
      expect(what).not.toBe("take over");
      return;
    }
    const id = memory?.id ?? this.#newId();
    const { epoch } = decision;
    if (decision.kind === "take") {
      place.memory = { id, epoch: memory?.epoch ?? 0, taking: epoch };
      if (what === "start, dies before the record") return;
      expect(this.#isNamed({ id, epoch, boot }) && this.#record !== undefined, "the same record again").toBe(
        false,
      );
      expect(epoch, "epochs go up").toBeGreaterThan(this.#record?.epoch ?? 0);
      this.#record = { id, epoch, host: "h", pid: 1, boot, sinceMs: 0 };
    }
    expect(this.#isNamed({ id, epoch, boot })).toBe(true);
    if (what === "start, dies behind the record") return;
    place.memory = { id, epoch, taking: 0 };
    place.holds = { id, epoch, boot };
  }

  #newId(): bigint {
    this.#ids += 1n;
    return this.#ids;
  }

  #isNamed({ id, epoch, boot }: Held): boolean {
    return this.#record?.id === id && this.#record.epoch === epoch && this.#record.boot === boot;
  }

  /** A copy of a machine has its files, and another run. */
  #machine(memory: Place["memory"]): Place {
    this.#boots += 1;
    return { memory, boot: this.#boots, holds: undefined };
  }
}

test("whoever starts, dies, is copied or takes over: the record never names two that believe in it", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: "max" }), (steps) => {
      const writers = new Writers();
      for (const step of steps) {
        writers.take(step);
        writers.expectOneWriter();
      }
    }),
    runs(600),
  );
});
