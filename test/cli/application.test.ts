import { existsSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { type Application, startApplication } from "../../src/cli/application.ts";
import { type CliContext, StopRequest } from "../../src/cli/context.ts";
import { fakeContext } from "../helpers/cli/fake-context.ts";
import { tempFolder } from "../helpers/e2e/temp-folder.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

/** As if its command were not there yet: the shell itself gets the first signal. */
const SLOW_TO_BEGIN = `
trap 'touch told' TERM; touch up
while [ ! -f told ]; do :; done
trap - TERM; touch begun
exec sleep 600`;

interface Scene {
  readonly application: Application;
  readonly clock: ManualClock;
  readonly asked: AbortController;
  untilThere(file: string): Promise<unknown>;
}

function scene(command: string): Scene {
  const cwd = tempFolder();
  const clock = new ManualClock();
  const asked = new AbortController();
  const env = { PATH: process.env["PATH"] ?? "" };
  const stdin = new PassThrough() as unknown as CliContext["stdin"]; // whoever runs the tests may have a terminal
  const context: CliContext = { ...fakeContext({ env }), stdin, cwd, clock, signal: asked.signal };
  const application = startApplication(command, context);
  onTestFinished(() => application.stop());
  return {
    ...{ application, clock, asked },
    untilThere: (file) => until(`${file} is there`, () => existsSync(join(cwd, file))),
  };
}

test.each<readonly [string, (at: Scene) => void]>([
  ["we end it", ({ application }) => application.stop()],
  ["we are told to end", ({ asked }) => asked.abort(new StopRequest("SIGTERM"))],
])("a signal comes before the command has begun: it is sent once more (%s)", async (_, end) => {
  const at = scene(SLOW_TO_BEGIN);
  await at.untilThere("up");
  end(at);
  await at.untilThere("begun");
  await at.clock.advance(1000);
  expect(await at.application.exited).toBe(128 + 15);
  expect(at.clock.sleepers).toBe(0);
});

test("one that runs for a while is told once: to many a second signal means to hurry", async () => {
  const at = scene("trap 'touch told' TERM; touch up; while [ ! -f told ]; do :; done; exit 3");
  await at.untilThere("up");
  at.clock.pass(1000);
  at.application.stop();
  expect(at.clock.sleepers).toBe(0);
  expect(await at.application.exited).toBe(3);
});
