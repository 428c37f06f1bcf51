import { readdirSync, readFileSync, rmSync } from "node:fs";
import { expect, onTestFinished } from "vitest";
import type { Child } from "../../src/bench/child.ts";
import { until } from "../../src/bench/until.ts";
import { filesIn } from "../../src/shadow/local-files.ts";
import { type Application, addNotes, contentOf, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { tempFolder } from "../helpers/e2e/temp-folder.ts";
import { runWalrust } from "../helpers/e2e/walrust.ts";
import { assertPrefix } from "../helpers/writers/assert-prefix.ts";
import { startWriter, type Writer } from "../helpers/writers/start-writer.ts";
import { expectKept, expectSound, type Points, restoreAll } from "./copy-points.ts";
import { announcedBy, type CrashScene, type Meanwhile } from "./crash-scene.ts";
import { type Death, type Operation, runUntilDeath, traceOf } from "./dying.ts";
import { type Place, type PlaceName, placeOf } from "./place.ts";

/** A program that writes beside the daemon, and what it has committed: the oracle. */
interface Oracle {
  /** Fails unless the file is one of the states that were committed. */
  stateOf(file: string): number;
  /** The state that the database has now. */
  newest(): number;
  /** Commits until `child` has ended. */
  beside(child: Child): Promise<void>;
  /** What happens while the program is away. */
  meanwhile(what: Meanwhile): void;
}

/** What the scenes of a live database differ in. */
export interface DaemonStory {
  /** Arguments of the program that dies, behind those that name the database and the storage. */
  readonly command: "watch" | "snapshot";
  readonly args: readonly string[];
  /** A copy exists when the story begins; then this happens to its database. */
  readonly before?: (app: Application, at: Scene, commit: () => void) => void;
  /** The application commits until the program is dead. */
  readonly isBusy?: boolean;
  /** It is a process of its own, and never pauses. */
  readonly neverPauses?: boolean;
}

const OURS = /^(cursor\.json|lock\.db|page-table|segments|writer\.json)$/;
/** `walrust-UID`: where daemons listen. */
const BESIDE = /^(app\.db(-wal|-shm)?|\.app\.db-walrust|storage|walrust-\d+)$/;

export class DaemonScene implements CrashScene {
  readonly #at: Scene;
  readonly #place: Place;
  readonly #story: DaemonStory;
  readonly #oracle: Oracle;
  readonly #meanwhile: Meanwhile;
  readonly #outputs = tempFolder();
  #announced: readonly bigint[] = [];
  #points: Points = new Map();

  static async begin(story: DaemonStory, place: PlaceName, meanwhile: Meanwhile): Promise<DaemonScene> {
    const at = scene();
    const oracle = story.neverPauses ? await RowOracle.start(at) : new NoteOracle(at);
    const opened = new DaemonScene(at, await placeOf(at, place), story, oracle, meanwhile);
    if (story.before !== undefined && oracle instanceof NoteOracle) {
      await opened.#once();
      story.before(oracle.app, at, () => oracle.commit());
    }
    opened.#points = await opened.#restoreAll();
    return opened;
  }

  private constructor(at: Scene, place: Place, story: DaemonStory, oracle: Oracle, meanwhile: Meanwhile) {
    this.#at = at;
    this.#place = place;
    this.#story = story;
    this.#oracle = oracle;
    this.#meanwhile = meanwhile;
  }

  async die(death: Death): Promise<Operation | undefined> {
    const dead = await runUntilDeath(this.#at, death, this.#run());
    this.#announced = announcedBy(dead);
    return dead.operation;
  }

  trace(): Promise<readonly Operation[]> {
    return traceOf(this.#at, this.#run());
  }

  async afterDeath(): Promise<void> {
    const now = await this.#restoreAll();
    expectKept(this.#points, now);
    expect([...now.keys()], "what was announced").toEqual(expect.arrayContaining([...this.#announced]));
    this.#points = now;
  }

  async liveOn(): Promise<void> {
    this.#oracle.meanwhile(this.#meanwhile);
    await this.#once();
    const now = await this.#restoreAll();
    expectKept(this.#points, now);
    expect([...now.values()].at(-1)?.state, "the newest point").toBe(this.#oracle.newest());
    await expectSound(this.#place.storage);
    await this.#expectTidy();
  }

  #run() {
    const { command, args, isBusy, neverPauses } = this.#story;
    const beside = isBusy || neverPauses ? { beside: (child: Child) => this.#oracle.beside(child) } : {};
    return { args: this.#arguments(command, args), env: this.#place.env, ...beside };
  }

  async #once(): Promise<void> {
    const { args } = DAEMON_STORIES["first copy"];
    const exit = await runWalrust(this.#at, this.#arguments("watch", args), { env: this.#place.env });
    expect(exit.code, `the next run said: ${exit.stderr}`).toBe(0);
  }

  #arguments(command: DaemonStory["command"], args: readonly string[]): string[] {
    const { address, args: ofPlace } = this.#place;
    const metrics = command === "watch" ? ["--no-metrics"] : [];
    return [command, this.#at.path("app.db"), "-b", address, ...ofPlace, "--json", ...metrics, ...args];
  }

  #restoreAll(): Promise<Points> {
    const newPath = (name: string) => `${this.#outputs}/${name}`;
    return restoreAll(this.#place.storage, newPath, (file) => this.#oracle.stateOf(file));
  }

  /** Nothing of the dead one is left. */
  async #expectTidy(): Promise<void> {
    const shadow = this.#at.path(".app.db-walrust");
    const strays = [
      ...(await this.#place.strays()),
      ...readdirSync(this.#at.folder).filter((name) => !BESIDE.test(name)),
      ...readdirSync(shadow).filter((name) => !OURS.test(name)),
      ...filesIn(`${shadow}/segments`),
    ];
    expect(strays).toEqual([]);
  }
}

/** The application in the test's own process, for the program just another one. */
class NoteOracle implements Oracle {
  readonly app: Application;
  readonly #states: Buffer[] = [];

  constructor(at: Scene) {
    this.app = openApplication(at.path("app.db"));
    addNotes(this.app, 30, 200);
    this.#states.push(contentOf(this.app));
  }

  commit(): void {
    addNotes(this.app, 2, 200);
    this.#states.push(contentOf(this.app));
  }

  stateOf(file: string): number {
    const bytes = readFileSync(file);
    const state = this.#states.findIndex((one) => one.equals(bytes));
    expect(state, `${file} is one of the states that were committed`).toBeGreaterThanOrEqual(0);
    return state;
  }

  newest(): number {
    expect(contentOf(this.app).equals(this.#states.at(-1) ?? Buffer.alloc(0))).toBe(true);
    return this.#states.length - 1;
  }

  async beside(child: Child): Promise<void> {
    await until(
      "death",
      () => {
        if (!child.running()) return true;
        this.commit();
        return false;
      },
      { limitMs: 120_000, everyMs: 30 },
    );
  }

  meanwhile(what: Meanwhile): void {
    if (what === "nothing") return;
    this.commit();
    if (what === "log cut") this.app.pragma("wal_checkpoint(TRUNCATE)");
    if (what === "log begun anew twice") {
      this.app.pragma("wal_checkpoint(RESTART)");
      this.commit();
      this.app.pragma("wal_checkpoint(RESTART)");
    }
    this.commit();
  }
}

/** writer.py, which commits without a pause. Its states are numbers of rows. */
class RowOracle implements Oracle {
  readonly #writer: Writer;

  static async start(at: Scene): Promise<RowOracle> {
    const writer = await startWriter({ database: at.path("app.db"), busyTimeoutMs: 5000 });
    onTestFinished(() => writer.kill());
    return new RowOracle(writer);
  }

  private constructor(writer: Writer) {
    this.#writer = writer;
  }

  stateOf(file: string): number {
    return assertPrefix(file);
  }

  newest(): number {
    return this.#writer.acknowledged();
  }

  async beside(child: Child): Promise<void> {
    await until("death", () => !child.running(), { limitMs: 120_000 });
    await this.#writer.stop();
  }

  meanwhile(): void {}
}

const ONCE = ["--once"];
/** Handovers at every chance; what is committed after the first publication stays in the shadow WAL. */
const HANDOVERS = ["--checkpoint-interval", "50ms", "--min-checkpoint-pages", "1"];

export const DAEMON_STORIES = {
  "first copy": { command: "watch", args: ONCE },
  increments: {
    command: "watch",
    args: ONCE,
    before: (_, __, commit) => {
      for (let i = 0; i < 3; i++) commit();
    },
  },
  /** SQLite may begin the log anew under the first pin: what it holds goes to the shadow WAL before. */
  "increments, backfilled": {
    command: "watch",
    args: ONCE,
    before: (app, _, commit) => {
      for (let i = 0; i < 3; i++) commit();
      app.pragma("wal_checkpoint(FULL)");
    },
  },
  repair: {
    command: "watch",
    args: ONCE,
    before: (app, _, commit) => {
      for (let i = 0; i < 3; i++) {
        commit();
        app.pragma("wal_checkpoint(RESTART)");
      }
      commit();
    },
  },
  "local state lost": {
    command: "watch",
    args: ONCE,
    before: (_, at) => rmSync(at.path(".app.db-walrust"), { recursive: true }),
  },
  snapshot: { command: "snapshot", args: [], before: (_, __, commit) => commit() },
  handovers: { command: "watch", args: ["--wal-sync-interval", "1h", ...HANDOVERS], isBusy: true },
  "handovers, published": {
    command: "watch",
    args: ["--wal-sync-interval", "100ms", ...HANDOVERS],
    isBusy: true,
  },
  "a writer that never pauses": { command: "watch", args: HANDOVERS, neverPauses: true },
} as const satisfies Record<string, DaemonStory>;
