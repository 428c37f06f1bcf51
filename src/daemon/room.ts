/** Lets so many in at once; the others wait for their turn. */
export class Room {
  readonly #waiting: (() => void)[] = [];
  readonly #places: () => number;
  #inside = 0;

  /** @param places may change while it is used; whoever is inside stays */
  constructor(places: () => number) {
    this.#places = places;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** The function returned leaves it. Safe to call twice. */
  async enter(): Promise<() => void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.#letIn();
    });
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      this.#inside -= 1;
      this.#letIn();
    };
  }

  #letIn(): void {
    while (this.#inside < this.#places()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#inside += 1;
      next();
    }
  }
}
