import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnChild } from "../../src/bench/child.ts";
import { until } from "../../src/bench/until.ts";
import { freePorts } from "../interop/helpers/program.ts";
import { Applications } from "./applications.ts";
import type { SoakOptions } from "./arguments.ts";
import { Checks } from "./checks.ts";
import { PACES, type Pace, writeConfig } from "./config.ts";
import { Course } from "./course.ts";
import { Daemon } from "./daemon.ts";
import { FOLLOWED, theMix } from "./mix.ts";
import { makePlace, type Place, walrust } from "./place.ts";
import { isReady, isUp, keepSampling, requestsSoFar, type Sample } from "./sampler.ts";
import { openStorage, type SoakStorage } from "./storage.ts";
import { keepTroubling, rest } from "./troubles.ts";
import { startWebhookSink } from "./webhook-sink.ts";

export interface SoakFacts {
  readonly course: Course;
  readonly samples: readonly Sample[];
  readonly passed: Checks["passed"];
  readonly webhooks: ReadonlyMap<string, number>;
  readonly starts: number;
}

/** The crowd is stored for the first time within this. */
const START_LIMIT_MS = 180_000;
const LAST_REST_MS = 10_000;
const READY_FOR_MS = 6000;
const READY_LIMIT_MS = 180_000;

/** Starts everything, lets it run, ends it in order, and compares. Throws only if it cannot even be set up. */
export async function soak(
  options: SoakOptions,
  where: { readonly project: string; readonly out: string; readonly serverScript: string },
): Promise<SoakFacts> {
  const storage = await openStorage(options.storage, where.out, where.serverScript);
  const sink = await startWebhookSink();
  try {
    const place = makePlace(where.project, where.out, storage.env);
    return { ...(await run(options, place, storage, sink.url)), webhooks: sink.received };
  } finally {
    sink.close();
    await storage.close();
  }
}

async function run(
  options: SoakOptions,
  place: Place,
  storage: SoakStorage,
  webhook: string,
): Promise<Omit<SoakFacts, "webhooks">> {
  const course = new Course(join(place.out, "marks.jsonl"));
  const mix = theMix(place.live, options);
  const metricsPort = await freePorts(1);
  const metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
  const setPace = (pace: Pace) =>
    writeConfig(
      {
        ...place,
        path: place.config,
        s3: storage.s3,
        metricsPort,
        webhook,
        mix,
        keyFile: keyFile(options, place),
      },
      pace,
    );
  setPace(PACES[0]);

  const applications = new Applications(
    join(place.project, "test/soak/application.py"),
    mix,
    course,
    options.seed,
  );
  const daemon = new Daemon("watch", place, course, ["watch"]);
  const copy = join(place.out, "replica.db");
  const replica = new Daemon("replicate", place, course, replicating(storage, copy));
  const checks = new Checks({ place, course, applications, mix, seed: options.seed });
  try {
    await applications.started();
    daemon.start();
    await firstCopy(place);
    await untilReady(metricsUrl);
    replica.start();
    await until("the replica's first copy", () => existsSync(copy), { limitMs: START_LIMIT_MS });
    const reader = startReader(
      place,
      course,
      copy,
      mix.find(({ databases }) => databases[0]?.name === FOLLOWED)?.slots ?? 0,
    );

    const watched = { place, course, daemon, replica, storage, applications, metricsUrl };
    const sampling = keepSampling(
      { ...watched, takeRestores: () => checks.takeRestores() },
      options.sampleEveryMs,
    );
    const checking = checks.keepChecking();
    const troubles = {
      ...{ options, course, daemon, replica, storage, applications, setPace },
      onRest: () => checks.checkReplica(copy),
      isUp: () => isUp(metricsUrl),
      requestsSoFar: () => requestsSoFar(storage, metricsUrl),
    };
    await keepTroubling(troubles, course.now() + options.minutes * 60_000);
    await rest(troubles, LAST_REST_MS);
    course.end();
    await checking;
    const samples = await sampling;

    await applications.stop();
    await daemon.stop();
    await replica.stop();
    const caughtUp = await walrust(place, ...replicating(storage, copy), "--once").exited;
    if (caughtUp.code !== 0) course.find(`replicate --once ended with ${caughtUp.code}: ${caughtUp.stderr}`);
    await reader.stop();
    await checks.finally(copy);
    for (const text of [...daemon.warnings(), ...replica.warnings()]) course.find(text);
    return { course, samples, passed: checks.passed, starts: daemon.life + 1 };
  } finally {
    course.end();
    await daemon.kill();
    await replica.kill();
  }
}

function keyFile(options: SoakOptions, place: Place): string | undefined {
  if (!options.encrypted) return undefined;
  const path = join(place.out, "backup.key");
  if (!existsSync(path)) writeFileSync(path, `${"0123456789abcdef".repeat(4)}\n`, { mode: 0o600 });
  return path;
}

function replicating(storage: SoakStorage, copy: string): readonly string[] {
  return ["replicate", `${storage.address}/${FOLLOWED}`, "--local", copy, "--interval", "1s"];
}

async function firstCopy(place: Place): Promise<void> {
  const isThere = async () => (await walrust(place, "list", FOLLOWED).exited).code === 0;
  await until("the first copy", isThere, { limitMs: START_LIMIT_MS, everyMs: 250 });
}

/** For a while without a break: a reload is taken up only some time after it was asked for. */
async function untilReady(metricsUrl: string): Promise<void> {
  let sinceMs = performance.now();
  const look = async () => {
    if (!(await isReady(metricsUrl))) sinceMs = performance.now();
    return performance.now() - sinceMs > READY_FOR_MS;
  };
  await until("everything is published", look, { limitMs: READY_LIMIT_MS, everyMs: 500 });
}

/** A process that reads the replica all the time, and fails if it ever sees half a state, or an older one. */
function startReader(place: Place, course: Course, copy: string, slots: number) {
  const script = join(place.project, "test/helpers/follow/reader.py");
  const options = {
    ...{ readOnly: true, mayBeHot: true, holdMs: 250 },
    last: "SELECT seq FROM last",
    counts: [
      "SELECT max(seq) FROM ring",
      // all rows of the ring, counted by their content, so that all pages are read
      `SELECT (SELECT seq FROM last) - min((SELECT seq FROM last), ${slots}) + count(content) FROM ring`,
    ],
  };
  const child = spawnChild("python3", [script, copy, JSON.stringify(options)]);
  let isStopping = false;
  void child.exited.then(({ code, stderr }) => {
    if (code !== 0 || !isStopping) course.find(`a reader of the replica ended: ${stderr}`);
  });
  return {
    stop: async () => {
      isStopping = true;
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}
