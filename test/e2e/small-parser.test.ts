import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { s3Storage } from "../helpers/e2e/s3-storage.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { startWatch } from "../helpers/e2e/walrust.ts";

/** Undici's HTTP parser is one function of so many bytes; all others of the process are far smaller. */
const LARGE_BYTES = 20_000;
const DATABASES = 10;

/** V8 takes 30 MB for that, which no limit of memory foresees, and does it after the first few answers of any storage. */
test("the HTTP parser is never optimized, whatever it has to read", async () => {
  const at = scene();
  const storage = await s3Storage();
  writeFileSync(
    at.path("trace.mjs"),
    'import { setFlagsFromString } from "node:v8"; setFlagsFromString("--trace-wasm-compilation-times");',
  );
  const databases = Array.from({ length: DATABASES }, (_, i) => at.path(`${i}.db`));
  for (const path of databases) addNotes(openApplication(path), 10);
  const env = { ...storage.env, NODE_OPTIONS: `--import=${pathToFileURL(at.path("trace.mjs")).href}` };
  // into a file: of a pipe that is full V8 loses what it prints
  const printed = at.path("printed");
  const under = ["sh", "-c", 'exec "$@" > "$0"', printed];
  const watch = startWatch(at, { ...storage, databases, env, under });
  const stored = () =>
    storage.server.requests.filter(({ key, status }) => key.endsWith(".ltx") && status === 200).length;
  await until("a copy of each", () => watch.child.running() && stored() >= DATABASES, { limitMs: 30_000 });
  await watch.drain();
  const large = readFileSync(printed, "latin1")
    .replaceAll(/\{".*\}\n/g, "") // events come between the blocks of V8, which end in the middle of a line
    .split("\n")
    .map((line) => /^Compiled function \S+ using (\w+), .*bodysize (\d+)/.exec(line))
    .filter((found) => Number(found?.[2]) > LARGE_BYTES)
    .map((found) => found?.[1]);
  expect(large).toEqual(["Liftoff"]);
});
