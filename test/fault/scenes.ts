import { CopyScene } from "./compact-scene.ts";
import type { CrashScene, Meanwhile } from "./crash-scene.ts";
import { DAEMON_STORIES, DaemonScene } from "./daemon-scenes.ts";
import type { PlaceName } from "./place.ts";
import { ReplicaScene } from "./replica-scene.ts";
import { RestoreScene } from "./restore-scene.ts";

type Begin = (place: PlaceName, meanwhile: Meanwhile) => Promise<CrashScene>;

const ofDaemon = (name: keyof typeof DAEMON_STORIES): Begin => {
  return (place, meanwhile) => DaemonScene.begin(DAEMON_STORIES[name], place, meanwhile);
};

export const SCENES = {
  "first copy": ofDaemon("first copy"),
  increments: ofDaemon("increments"),
  "increments, backfilled": ofDaemon("increments, backfilled"),
  repair: ofDaemon("repair"),
  "local state lost": ofDaemon("local state lost"),
  snapshot: ofDaemon("snapshot"),
  handovers: ofDaemon("handovers"),
  "handovers, published": ofDaemon("handovers, published"),
  "a writer that never pauses": ofDaemon("a writer that never pauses"),
  compact: (place) => CopyScene.begin("compact", place),
  "verify --fix": (place) => CopyScene.begin("fix", place),
  restore: (place) => RestoreScene.begin(false, place),
  "restore --force": (place) => RestoreScene.begin(true, place),
  "replica: first copy": (place, meanwhile) => ReplicaScene.begin("first copy", place, meanwhile),
  "replica: increments": (place, meanwhile) => ReplicaScene.begin("increments", place, meanwhile),
  "replica: whole database": (place, meanwhile) => ReplicaScene.begin("whole database", place, meanwhile),
} as const satisfies Readonly<Record<string, Begin>>;

export type SceneName = keyof typeof SCENES;
