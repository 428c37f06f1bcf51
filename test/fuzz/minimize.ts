/** Tries so many smaller inputs at most. */
const MOST_TRIES = 3000;

/**
 * A shorter input that still fails: pieces are taken out, from halves down to single bytes, then what is left is made zero (or a space, where it
 * is text) where that changes nothing.
 */
export async function minimize(
  input: Uint8Array,
  fails: (input: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let smallest = input;
  let tries = 0;
  const attempt = async (candidate: Uint8Array): Promise<boolean> => {
    if (++tries > MOST_TRIES || !(await fails(candidate))) return false;
    smallest = candidate;
    return true;
  };
  for (let size = Math.ceil(input.length / 2); size >= 1 && tries < MOST_TRIES; size = Math.floor(size / 2)) {
    for (let at = 0; at < smallest.length && tries < MOST_TRIES; ) {
      const without = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]);
      if (!(await attempt(new Uint8Array(without)))) at += size;
    }
  }
  for (
    let size = Math.ceil(smallest.length / 2);
    size >= 1 && tries < MOST_TRIES;
    size = Math.floor(size / 2)
  ) {
    for (let at = 0; at < smallest.length && tries < MOST_TRIES; at += size) {
      const zeroed = smallest.slice().fill(0, at, at + size);
      if (Buffer.compare(zeroed, smallest) !== 0) await attempt(zeroed);
    }
  }
  return smallest;
}
