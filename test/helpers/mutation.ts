/**
 * One fix taken out: in `file` (a path from the project's root) the text `find` becomes `replace`. A test that holds the fix fails then.
 * `find` is exact, with its line breaks, and long enough to occur once.
 */
export interface Mutation {
  readonly id: string;
  /** What is missing then, in a few words: "the salts of a frame are not compared". */
  readonly what: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The source with the mutation in it. Throws unless its text occurs exactly once: then the mutation no longer fits the code. */
export function mutate(source: string, { id, file, find, replace }: Mutation): string {
  const pieces = source.split(find);
  if (find === "" || pieces.length !== 2) {
    throw new Error(
      `the mutation ${id} no longer fits the code: ${file} has its text ${pieces.length - 1} times, and must have it once`,
    );
  }
  if (find === replace) throw new Error(`the mutation ${id} changes nothing`);
  return pieces.join(replace);
}
