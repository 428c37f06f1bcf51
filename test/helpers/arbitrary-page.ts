import fc from "fast-check";

/** Pages as databases have them: noise, runs, repeated text and mixtures, of one of the sizes given. */
export function arbitraryPage(...sizes: readonly number[]): fc.Arbitrary<Buffer> {
  const piece = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc
      .record({ byte: fc.nat(255), length: fc.integer({ min: 1, max: 700 }) })
      .map(({ byte, length }) => Buffer.alloc(length, byte)),
    fc
      .record({
        unit: fc.uint8Array({ minLength: 1, maxLength: 40 }),
        times: fc.integer({ min: 1, max: 40 }),
      })
      .map(({ unit, times }) => Buffer.concat(new Array<Uint8Array>(times).fill(unit))),
    fc
      .constantFrom("INSERT INTO orders VALUES(", "2026-01-02T03:04:05Z", "lorem ipsum dolor ")
      .map(Buffer.from),
  );
  return fc
    .record({
      size: fc.constantFrom(...sizes),
      pieces: fc.array(piece, { minLength: 1, maxLength: 20 }),
    })
    .map(({ size, pieces }) => {
      const some = Buffer.concat(pieces);
      const page = Buffer.alloc(size);
      for (let at = 0; at < size; at += some.length) some.copy(page, at);
      return page;
    });
}
