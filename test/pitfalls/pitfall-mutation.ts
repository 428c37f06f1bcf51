import type { Mutation } from "../helpers/mutation.ts";

/** A fix for a pitfall taken out, and the test that fails then. The ID begins with the pitfall's number: "4", or "4b" where there are several. */
export interface PitfallMutation extends Mutation {
  /** From the project's root. */
  readonly test: string;
  /** How the title begins, as it is written there: of a test, or of a group of tests. */
  readonly title: string;
}

export function pitfallOf({ id }: Pick<Mutation, "id">): number {
  return Number.parseInt(id, 10);
}
