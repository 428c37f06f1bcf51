import type { Death, Moment } from "./dying.ts";
import type { PlaceName } from "./place.ts";
import type { SceneName } from "./scenes.ts";

/** A moment of the program's life at which it must be able to die. The words are those of the design. */
export interface Step extends Omit<Death, "when"> {
  readonly name: string;
  readonly scene: SceneName;
  /** The first one is taken by `npm test`, all of them by the torture. */
  readonly when: readonly Moment[];
  readonly place?: PlaceName;
}

const AROUND = ["after", "before"] as const satisfies readonly Moment[];
const WRITTEN = ["half", "before", "after"] as const satisfies readonly Moment[];

const SHADOW = "\\.app\\.db-walrust";
const inShadow = (file: string) => new RegExp(`${SHADOW}/${file}$`);
const STAGED = /storage\/app\/\.walrust-tmp-(?!claim)/;
const CLAIM = /storage\/app\/\.walrust-tmp-claim/;
const inStorage = (file: string) => new RegExp(`storage/app/${file}$`);
const request = (method: string, file: string) => new RegExp(`^${method} /backups/app/${file}`);
const DATABASE = /\/app\.db$/;
const SEGMENT = "segments/.*\\.frames";

const step = (name: string, scene: SceneName, when: readonly Moment[], death: Omit<Death, "when">): Step => ({
  ...{ name, scene, when },
  ...death,
});

const S3 = { place: "s3" } as const;

const FIRST_COPY: readonly Step[] = [
  step("lock: its file gets its name", "first copy", AROUND, { op: /link/, path: inShadow("lock\\.db") }),
  step("lock: let go", "first copy", AROUND, { op: /sql/, path: inShadow("lock\\.db"), sql: /COMMIT/ }),
  step("writer's note: what was got", "first copy", WRITTEN, {
    op: /write/,
    path: inShadow("writer\\.json\\.tmp"),
  }),
  step("writer's note: in its place", "first copy", AROUND, {
    op: /rename/,
    path: inShadow("writer\\.json"),
  }),
  step("lease: writer.json is made", "first copy", AROUND, { op: /link/, path: inStorage("writer\\.json") }),
  {
    ...S3,
    ...step("lease: PUT of writer.json", "first copy", ["after", "half", "before"], {
      op: /request/,
      path: request("PUT", "writer\\.json"),
    }),
  },
  step("page table: made", "first copy", AROUND, { op: /create/, path: inShadow("page-table") }),
  step("page table: first filled", "first copy", WRITTEN, {
    op: /write/,
    path: inShadow("page-table"),
    nth: 2,
  }),
  step("snapshot: staged", "first copy", WRITTEN, { op: /write/, path: STAGED, nth: 2 }),
  step("snapshot: published", "first copy", AROUND, {
    op: /link/,
    path: inStorage("00000001-00000001\\.ltx"),
  }),
  {
    ...S3,
    ...step("snapshot: PUT", "first copy", WRITTEN, { op: /request/, path: request("PUT", "0.*\\.ltx") }),
  },
  step("cursor: written", "first copy", WRITTEN, { op: /write/, path: inShadow("cursor\\.json\\.tmp") }),
  step("cursor: in its place", "first copy", ["before", "after"], {
    op: /rename/,
    path: inShadow("cursor\\.json"),
  }),
  step("manifest: the first one", "first copy", AROUND, { op: /link/, path: inStorage("manifest\\.json") }),
];

const INCREMENTS: readonly Step[] = [
  step("lock: taken", "increments", ["before", "after"], {
    op: /sql/,
    path: inShadow("lock\\.db"),
    sql: /COMMIT/,
  }),
  step("lock: the owner before goes", "increments", AROUND, {
    op: /sql/,
    path: inShadow("lock\\.db"),
    sql: /DELETE/,
  }),
  step("resume: the log goes to the shadow WAL", "increments, backfilled", WRITTEN, {
    op: /write/,
    path: inShadow(SEGMENT),
    nth: 2,
  }),
  step("stage: bytes of an increment", "increments", WRITTEN, { op: /write/, path: STAGED }),
  step("stage: made durable", "increments", ["before", "after"], { op: /sync/, path: STAGED }),
  step("publish: the object gets its name", "increments", AROUND, {
    op: /link/,
    path: inStorage("00000002-.*\\.ltx"),
  }),
  step("publish: its folder is made durable", "increments", ["before", "after"], {
    op: /sync/,
    path: /storage\/app$/,
  }),
  step("publish: the staged name goes", "increments", ["before", "after"], { op: /remove/, path: STAGED }),
  {
    ...S3,
    ...step("publish: PUT", "increments", ["after", "half", "before"], {
      op: /request/,
      path: request("PUT", "00000002"),
    }),
  },
  step("shadow: a published segment goes", "increments, backfilled", ["before", "after"], {
    op: /remove/,
    path: inShadow(SEGMENT),
  }),
  step("page table: moved on", "increments", WRITTEN, { op: /write/, path: inShadow("page-table") }),
  step("cursor: moved on", "increments", ["before", "after"], {
    op: /rename/,
    path: inShadow("cursor\\.json"),
  }),
  step("manifest: claimed", "increments", AROUND, { op: /create|link/, path: CLAIM }),
  step("manifest: replaced", "increments", AROUND, { op: /rename/, path: inStorage("manifest\\.json") }),
  step("manifest: the claim goes", "increments", ["before", "after"], { op: /remove/, path: CLAIM }),
  {
    ...S3,
    ...step("manifest: PUT", "increments", ["after", "half", "before"], {
      op: /request/,
      path: request("PUT", "manifest"),
    }),
  },
];

const DOUBTS: readonly Step[] = [
  step("repair: staged", "repair", WRITTEN, { op: /write/, path: STAGED }),
  step("repair: published", "repair", AROUND, { op: /link/, path: inStorage("0.*\\.ltx") }),
  { ...S3, ...step("repair: PUT", "repair", AROUND, { op: /request/, path: request("PUT", "0.*\\.ltx") }) },
  step("repair: page table moved on", "repair", WRITTEN, { op: /write/, path: inShadow("page-table") }),
  step("repair: cursor", "repair", AROUND, { op: /rename/, path: inShadow("cursor\\.json") }),
  step("local state lost: what is asked for", "local state lost", WRITTEN, {
    op: /write/,
    path: inShadow("writer\\.json\\.tmp"),
  }),
  step("local state lost: writer.json replaced", "local state lost", AROUND, {
    op: /rename/,
    path: inStorage("writer\\.json"),
  }),
  step("local state lost: compared with the head", "local state lost", WRITTEN, {
    op: /write/,
    path: inShadow("page-table"),
    nth: 2,
  }),
  step("local state lost: cursor", "local state lost", ["before", "after"], {
    op: /rename/,
    path: inShadow("cursor\\.json"),
  }),
  step("a later snapshot: pinned", "snapshot", AROUND, {
    op: /sql/,
    path: DATABASE,
    sql: /user_version/,
    nth: 2,
  }),
  step("a later snapshot: published", "snapshot", AROUND, {
    op: /link/,
    path: inStorage("00000001-00000002\\.ltx"),
  }),
  step("a later snapshot: named", "snapshot", AROUND, {
    op: /rename/,
    path: inStorage("manifest\\.json"),
  }),
];

/** The third: the log was begun anew twice by then, over frames that only the shadow WAL has. */
const THIRD = { nth: 3 } as const;

const HANDOVERS: readonly Step[] = [
  step("shadow: frames are copied", "handovers", WRITTEN, {
    op: /write/,
    path: inShadow(SEGMENT),
    nth: 8,
  }),
  step("shadow: made durable", "handovers", ["before", "after"], {
    op: /sync/,
    path: inShadow(SEGMENT),
    ...THIRD,
  }),
  step("shadow: the segment is made", "handovers", AROUND, {
    op: /create/,
    path: inShadow(SEGMENT),
    ...THIRD,
  }),
  step("shadow: its folder is made durable", "handovers", ["before", "after"], {
    op: /sync/,
    path: inShadow("segments"),
    ...THIRD,
  }),
  step("shadow: its folder is made", "handovers", AROUND, { op: /mkdir/, path: inShadow("segments") }),
  step("shadow: published segments go", "handovers, published", ["before", "after"], {
    op: /remove/,
    path: inShadow(SEGMENT),
    ...THIRD,
  }),
  step("handover: the next pin begins", "handovers", AROUND, {
    op: /sql/,
    path: DATABASE,
    sql: /user_version/,
    nth: 7,
  }),
  step("handover: the old pin ends", "handovers", AROUND, {
    op: /sql/,
    path: DATABASE,
    sql: /ROLLBACK/,
    nth: 5,
  }),
  step("handover: checkpoint", "handovers", AROUND, { op: /sql/, path: DATABASE, sql: /PASSIVE/, ...THIRD }),
];

const IN_BARRIER = { op: /sql/, path: DATABASE, since: /BEGIN IMMEDIATE/ } as const;
const BARRIER = "a writer that never pauses";

const BARRIERS: readonly Step[] = [
  step("barrier: the tail is drained", BARRIER, ["before", "after"], {
    op: /sync|sql/,
    since: /BEGIN IMMEDIATE/,
  }),
  step("barrier: the pin is let go", BARRIER, AROUND, { ...IN_BARRIER, sql: /ROLLBACK/ }),
  step("barrier: checkpoint", BARRIER, AROUND, { ...IN_BARRIER, sql: /PASSIVE/ }),
  step("barrier: pinned again", BARRIER, AROUND, { ...IN_BARRIER, sql: /user_version/ }),
  step("barrier: the lock is released", BARRIER, ["before", "after"], {
    ...IN_BARRIER,
    sql: /ROLLBACK/,
    nth: 2,
  }),
];

export const DAEMON_STEPS: readonly Step[] = [
  ...FIRST_COPY,
  ...INCREMENTS,
  ...DOUBTS,
  ...HANDOVERS,
  ...BARRIERS,
];

const LTX = "0.*\\.ltx";

const COMPACTION: readonly Step[] = [
  step("merge: its pages", "compact", WRITTEN, { op: /write/, path: /walrust-merge-/ }),
  step("merge: staged", "compact", WRITTEN, { op: /write/, path: STAGED }),
  step("merge: the object gets its name", "compact", AROUND, { op: /link/, path: inStorage(LTX) }),
  { ...S3, ...step("merge: PUT", "compact", WRITTEN, { op: /request/, path: request("PUT", LTX) }) },
  step("prune: the manifest that no longer names them", "compact", AROUND, {
    op: /rename/,
    path: inStorage("manifest\\.json"),
  }),
  {
    ...S3,
    ...step("prune: PUT of the manifest", "compact", AROUND, {
      op: /request/,
      path: request("PUT", "manifest"),
    }),
  },
  step("prune: the first deletion", "compact", AROUND, { op: /remove/, path: inStorage(LTX) }),
  step("prune: the fourth deletion", "compact", AROUND, { op: /remove/, path: inStorage(LTX), nth: 4 }),
  { ...S3, ...step("prune: DELETE", "compact", AROUND, { op: /request/, path: /^POST .*\?delete/ }) },
  step("verify --fix: the manifest", "verify --fix", AROUND, {
    op: /rename|link/,
    path: inStorage("manifest\\.json"),
  }),
  {
    ...S3,
    ...step("verify --fix: PUT of the manifest", "verify --fix", AROUND, {
      op: /request/,
      path: request("PUT", "manifest"),
    }),
  },
];

const OVER = "restore --force";
const ASIDE = /restored\.db$/;

const RESTORES: readonly Step[] = [
  step("restore: pages", "restore", WRITTEN, { op: /write/, path: ASIDE }),
  step("restore: made durable", "restore", ["before", "after"], { op: /sync/, path: ASIDE }),
  step("restore: the file gets its name", "restore", AROUND, { op: /link/, path: /out\.db$/ }),
  step("restore: the other name goes", "restore", ["before", "after"], { op: /remove/, path: ASIDE }),
  { ...S3, ...step("restore: GET", "restore", AROUND, { op: /request/, path: request("GET", LTX) }) },
  step("restore over a database: pages", OVER, WRITTEN, { op: /write/, path: ASIDE }),
  step("restore over a database: its log goes into it", OVER, AROUND, {
    op: /sql/,
    path: /\/out\.db$/,
    sql: /TRUNCATE/,
  }),
  step("restore over a database: it is replaced", OVER, AROUND, { op: /rename/, path: /\/out\.db$/ }),
  step("restore over a database: made durable", OVER, ["before", "after"], {
    op: /sync/,
    path: /walrust-e2e-\w+$/,
  }),
];

const JOURNAL = /replica\.db-journal$/;
const REPLICA = /\/replica\.db$/;
const STATE = /replica\.db-replica-state$/;

const REPLICAS: readonly Step[] = [
  step("replica: what it is to become is noted", "replica: first copy", AROUND, {
    op: /rename/,
    path: STATE,
  }),
  step("replica: the first copy gets its name", "replica: first copy", AROUND, { op: /link/, path: REPLICA }),
  step("replica: the first copy is noted", "replica: first copy", ["before", "after"], {
    op: /rename/,
    path: STATE,
    nth: 2,
  }),
  ...(["replica: increments", "replica: whole database"] as const).flatMap((scene) => [
    step(`${scene}: the next state is noted`, scene, AROUND, { op: /rename/, path: STATE }),
    step(`${scene}: pages go to the journal`, scene, WRITTEN, { op: /write/, path: JOURNAL }),
    step(`${scene}: the journal is finished`, scene, WRITTEN, { op: /write/, path: JOURNAL, nth: 2 }),
    step(`${scene}: the journal is durable`, scene, AROUND, { op: /sync/, path: JOURNAL, nth: 2 }),
    step(`${scene}: pages are replaced`, scene, WRITTEN, { op: /write/, path: REPLICA }),
    step(`${scene}: page 1 is replaced`, scene, WRITTEN, { op: /write/, path: REPLICA, nth: 2 }),
    step(`${scene}: made durable`, scene, ["before", "after"], { op: /sync/, path: REPLICA }),
    step(`${scene}: the journal goes`, scene, AROUND, { op: /remove/, path: JOURNAL }),
    step(`${scene}: the state is noted`, scene, ["before", "after"], { op: /rename/, path: STATE, nth: 2 }),
  ]),
];

/** Those that work on a copy without its database. */
export const COPY_STEPS: readonly Step[] = [...COMPACTION, ...RESTORES, ...REPLICAS];
