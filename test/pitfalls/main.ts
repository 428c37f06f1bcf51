import { ProjectCopy } from "../helpers/project-copy.ts";
import { MUTATIONS } from "./mutations.ts";
import { type PitfallMutation, pitfallOf } from "./pitfall-mutation.ts";
import { runTest } from "./run-test.ts";

const USAGE = `usage: npm run mutate [-- PITFALL...]

Takes the fix for each pitfall out of a copy of the project, and runs the test that must fail then (test/PITFALLS.md). PITFALL is a number, or the
ID of one mutation (4b); without any all are tried, which takes about a quarter of an hour.`;

/** Tests of these folders run dist/. */
const OF_DIST = /^test\/(bench|e2e|cli|library|python)\//;

/** Returns the exit code. 1: a mutation was not noticed, or a test fails without one. */
export async function main(args: readonly string[], projectFolder: string): Promise<number> {
  const chosen = MUTATIONS.filter(
    (mutation) =>
      args.length === 0 || args.includes(mutation.id) || args.includes(String(pitfallOf(mutation))),
  );
  const unknown = args.filter(
    (arg) => !chosen.some((one) => arg === one.id || arg === String(pitfallOf(one))),
  );
  if (unknown.length > 0) {
    console.error(`${USAGE}\n\nnot known: ${unknown.join(", ")}`);
    return 2;
  }
  const copy = new ProjectCopy(projectFolder);
  try {
    copy.build("dist");
    const bad = chosen.filter((mutation) => !isCaught(copy, mutation));
    console.log(`${chosen.length} mutations, ${chosen.length - bad.length} caught`);
    if (bad.length > 0) console.log(`not caught: ${bad.map(({ id }) => id).join(", ")}`);
    return bad.length === 0 ? 0 : 1;
  } finally {
    copy.remove();
  }
}

/** The test passes as things are, and fails with the fix taken out. Says which, and why. */
function isCaught(copy: ProjectCopy, mutation: PitfallMutation): boolean {
  const { id, file, what, test, title } = mutation;
  console.log(`${id}  ${file}: ${what}`);
  console.log(`    ${test}: ${title}`);
  const startedMs = performance.now();
  const say = (text: string) => {
    console.log(`    ${text} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
  };
  const before = runTest(copy.folder, test, title);
  if (before.failed > 0 || before.passed === 0) {
    say(`BAD: without the mutation ${before.failed} failed, ${before.passed} passed: ${before.message}`);
    return false;
  }
  const undo = copy.apply(mutation);
  const build = () => {
    if (OF_DIST.test(test) || file.startsWith("assembly/")) copy.build(OF_DIST.test(test) ? "dist" : "core");
  };
  try {
    build();
    const after = runTest(copy.folder, test, title);
    if (after.failed > 0) say(`caught: ${after.message}`);
    else if (after.passed > 0) say("NOT CAUGHT: the test passes all the same");
    else say(`BAD: no test ran: ${after.message}`);
    return after.failed > 0;
  } finally {
    undo();
    build();
  }
}
