import { lstatSync, mkdirSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

/**
 * Where the daemons of one user have their control sockets: a folder that only this user can enter, at a well-known place, so that
 * `walrust status` finds them. Others may have made a folder of that name first (in /tmp everybody may): such a folder is not used.
 */
export interface Place {
  /** Of the environment: where systemd keeps what belongs to one user's sessions. */
  readonly runtimeDir?: string | undefined;
  readonly temporaryDir?: string;
  readonly uid?: number;
}

/** sun_path holds 104 bytes on macOS and 108 on Linux, with a zero at the end; longer names are cut without a word. */
const LONGEST_SOCKET_PATH = 103;
/** `/4194304-15.sock` */
const LONGEST_SOCKET_NAME = 16;
const PRIVATE = 0o700;

/** In order of preference. A daemon takes the first that it can use, whoever looks for daemons looks into all: their environments may differ. */
export function socketFolders(place: Place = {}): readonly string[] {
  const {
    runtimeDir = process.env["XDG_RUNTIME_DIR"],
    temporaryDir = tmpdir(),
    uid = process.getuid?.() ?? 0,
  } = place;
  const own = `walrust-${uid}`;
  const shared = [join(temporaryDir, own), join("/tmp", own)].find(isShort);
  const runtime = runtimeDir?.startsWith("/") ? [join(runtimeDir, "walrust")] : [];
  return [...runtime.filter(isShort), ...(shared === undefined ? [] : [shared])];
}

function isShort(folder: string): boolean {
  return Buffer.byteLength(folder) + LONGEST_SOCKET_NAME <= LONGEST_SOCKET_PATH;
}

/** Makes the first folder that can be used; undefined: there is none. */
export function openSocketFolder(folders: readonly string[]): string | undefined {
  return folders.find((folder) => {
    try {
      mkdirSync(folder, { mode: PRIVATE });
    } catch {
      // there already, or its parent is not: the look at it decides
    }
    return isPrivate(folder);
  });
}

/** Paths of the sockets in the folders that are ours. */
export function listSockets(folders: readonly string[]): readonly string[] {
  return folders.filter(isPrivate).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".sock"))
      .sort()
      .map((name) => join(folder, name)),
  );
}

/** Other users, as far as a shared folder shows them, that have or had daemons here. */
export function otherUsers(folders: readonly string[]): readonly number[] {
  const own = process.getuid?.() ?? 0;
  const seen = folders.filter((folder) => basename(folder) === `walrust-${own}`).flatMap(siblings);
  return [...new Set(seen)].filter((uid) => uid !== own).sort((a, b) => a - b);
}

function siblings(folder: string): readonly number[] {
  try {
    const names = readdirSync(dirname(folder));
    return names.flatMap((name) => /^walrust-(\d+)$/.exec(name)?.[1] ?? []).map(Number);
  } catch {
    return []; // not for us to see
  }
}

/** A real folder of ours that nobody else can enter; symbolic links are not followed. */
function isPrivate(folder: string): boolean {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === process.getuid?.() && (stat.mode & 0o077) === 0;
}
