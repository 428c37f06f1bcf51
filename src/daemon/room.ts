/** Lets so many in at once; the others wait for their turn. */
export class Room {
  readonly #waiting: (() => void)[] = [];
  #places: number;

  constructor(places: number) {
    this.#places = places;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** The function returned leaves it. Safe to call twice. */
  async enter(): Promise<() => void> {
    if (this.#places === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#places -= 1;
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      const next = this.#waiting.shift(); // it takes over the place
      if (next) next();
      else this.#places += 1;
    };
  }
}
