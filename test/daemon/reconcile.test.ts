import { describe, expect, test } from "vitest";
import type { DatabaseSettings } from "../../src/config/settings.ts";
import { reconcile, type TaskFacts } from "../../src/daemon/reconcile.ts";
import { databaseSettings } from "../helpers/daemon/watched.ts";

const a = databaseSettings("/data/a.db", "a");
const b = databaseSettings("/data/b.db", "b");
const slowA = databaseSettings("/data/a.db", "a", { walSyncIntervalMs: 9000 });
const observedA = databaseSettings("/data/a.db", "a", { observe: true });
const moved = databaseSettings("/data/a.db", "elsewhere");
/** Another file under the name of `a`. */
const otherA = databaseSettings("/backup/a.db", "a");

const runs = (database: DatabaseSettings, isLeaving = false) => ({ database, isLeaving });

const NOTHING = { start: [], stop: [], restart: [], adjust: [], refused: [] };

describe("reconcile", () => {
  test.each<readonly [string, Partial<TaskFacts>, Partial<typeof NOTHING | object>]>([
    ["nothing wanted, nothing runs", {}, {}],
    ["wanted: begins", { wanted: [a, b] }, { start: [a, b] }],
    ["as it runs: stays", { running: [runs(a)], wanted: [structuredClone(a)] }, {}],
    ["no longer wanted: ends", { running: [runs(a), runs(b)], wanted: [b] }, { stop: [a] }],
    [
      "other settings: goes on with them",
      { running: [runs(a), runs(b)], wanted: [slowA, b] },
      { adjust: [slowA] },
    ],
    [
      "another retention: the same",
      { running: [runs(a)], wanted: [{ ...a, retention: { ...a.retention, daily: 1 } }] },
      { adjust: [{ ...a, retention: { ...a.retention, daily: 1 } }] },
    ],
    ["observed from now on: begins anew", { running: [runs(a)], wanted: [observedA] }, { restart: [a] }],
    [
      "has a name and other settings: another one is refused it",
      { running: [runs(a)], wanted: [otherA, slowA] },
      { adjust: [slowA], refused: [{ database: otherA, holder: a.path }] },
    ],
    ["ends already: is not told twice", { running: [runs(a, true)], wanted: [] }, {}],
    ["begins anew only after it has ended", { running: [runs(a, true)], wanted: [slowA] }, {}],
    ["and then does", { wanted: [slowA] }, { start: [slowA] }],
    ["another prefix: begins anew", { running: [runs(a)], wanted: [moved] }, { restart: [a] }],
    ["ended by itself: not begun again as it was", { ended: [a], wanted: [a, b] }, { start: [b] }],
    ["ended by itself, wanted otherwise: begins", { ended: [a], wanted: [slowA] }, { start: [slowA] }],
    [
      "a name that another one has and keeps: refused",
      { running: [runs(a)], wanted: [a, otherA] },
      { refused: [{ database: otherA, holder: a.path }] },
    ],
    [
      "two that begin with one name: the first has it",
      { wanted: [otherA, a] },
      { start: [otherA], refused: [{ database: a, holder: otherA.path }] },
    ],
    ["a name of one that ends: waited for", { running: [runs(a)], wanted: [otherA] }, { stop: [a] }],
    ["a name of one that is ending: waited for", { running: [runs(a, true)], wanted: [otherA] }, {}],
    [
      "a name of one that gets another: waited for",
      { running: [runs(a)], wanted: [moved, otherA] },
      { restart: [a] },
    ],
  ])("%s", (_, facts, changes) => {
    const given = { running: [], ended: [], wanted: [], ...facts };
    expect(reconcile(given)).toEqual({ ...NOTHING, ...changes });
  });
});
