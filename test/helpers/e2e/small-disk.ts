import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Scene } from "./scene.ts";

/** A small tmpfs; undefined where this user may not mount one. */
export function mountSmallDisk(at: Scene, bytes: number): string | undefined {
  const path = at.path("disk");
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  onTestFinished(() => {
    execFileSync("umount", ["-l", path]);
  });
  return path;
}

/** A place where a running process can find the disk full, and later find room again. */
export interface Space {
  readonly path: string;
  fill(pid: number): void;
  free(pid: number): void;
}

/** A small disk with ballast; where this user may not mount one, a limit on the size of the files that the process may write. */
export function spaceOf(at: Scene, bytes: number): Space {
  const disk = mountSmallDisk(at, bytes);
  if (disk === undefined) {
    const limit = (pid: number, most: string) =>
      execFileSync("prlimit", ["--pid", String(pid), `--fsize=${most}:`]);
    return {
      path: at.folder,
      fill: (pid) => void limit(pid, "1"),
      free: (pid) => void limit(pid, "unlimited"),
    };
  }
  const ballast = join(disk, "ballast");
  return {
    path: disk,
    fill: () => {
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    },
    free: () => rmSync(ballast),
  };
}
