import * as fs from "node:fs";
import { resolve } from "node:path";
import type { Disk } from "./disk.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

/** Files that tell who runs, and since when. */
export interface ProcFiles {
  read(path: string): string | undefined;
}

/** What mkdtemp adds to a name. */
const RANDOM_LENGTH = 6;

type Call = (...args: never[]) => unknown;
const real = fs as unknown as Readonly<Record<string, Call>>;

/** `node:fs` and `node:fs/promises` as one process has them: every call is an operation, at which it may be killed or refused. */
export function simulatedFiles(process: SimulatedProcess, disk: Disk, proc: ProcFiles) {
  const now = (name: string) => {
    const effect = effectOf(name, process, disk, proc);
    return (...args: unknown[]) =>
      process.now(
        { kind: "file", name, target: targetOf(process, args[0]) },
        () => effect(args),
        halfOf(name, args),
      );
  };
  const later = (name: string) => {
    const effect = effectOf(name, process, disk, proc);
    return (...args: unknown[]) =>
      process.later({ kind: "file", name, target: targetOf(process, args[0]) }, () => effect(args));
  };
  const sync: Record<string, unknown> = { ...fs };
  const promises: Record<string, unknown> = { ...fs.promises };
  for (const name of Object.keys(fs)) {
    const base = name.slice(0, -"Sync".length);
    if (!name.endsWith("Sync") || base === "") continue;
    sync[name] = now(base);
    if (typeof sync[base] === "function") sync[base] = withCallback(later(base));
    if (base in promises && base !== "open") promises[base] = later(base);
  }
  const open = later("open");
  promises["open"] = async (...args: unknown[]) => handleOf((await open(...args)) as number, later);
  return { sync, promises: { ...promises, constants: fs.constants } };
}

/** What a file handle of `node:fs/promises` offers, as far as it is used. */
function handleOf(fd: number, later: (name: string) => (...args: unknown[]) => Promise<unknown>) {
  const of = (name: string) => {
    const call = later(name);
    return (...args: unknown[]) => call(fd, ...args);
  };
  const counted = (name: "read" | "write") => {
    const call = of(name);
    return async (...args: unknown[]) => {
      const count = await call(...args);
      return name === "read" ? { bytesRead: count } : { bytesWritten: count };
    };
  };
  return {
    ...{
      fd,
      read: counted("read"),
      write: counted("write"),
      readFile: of("readFile"),
      writeFile: of("writeFile"),
    },
    ...{ sync: of("fsync"), datasync: of("fdatasync"), stat: of("fstat"), truncate: of("ftruncate") },
    ...{ chmod: of("fchmod"), close: of("close") },
  };
}

function withCallback(call: (...args: unknown[]) => Promise<unknown>) {
  return (...args: unknown[]) => {
    const done = args.pop() as (error: unknown, result?: unknown) => void;
    call(...args).then(
      (result) => done(null, result),
      (error) => done(error),
    );
  };
}

/** The call itself, with what the disk has to know of it. */
function effectOf(name: string, process: SimulatedProcess, disk: Disk, proc: ProcFiles) {
  const call = real[`${name}Sync`] as (...args: unknown[]) => unknown;
  let made = 0;
  return (args: readonly unknown[]): unknown => {
    const [first, second] = args;
    const path = targetOf(process, first);
    const told = name === "readFile" ? proc.read(path) : undefined;
    if (told !== undefined) return told;
    switch (name) {
      case "write":
      case "writev":
      case "writeFile":
      case "ftruncate":
      case "truncate":
        disk.willWrite(path);
        return call(...args);
      case "open": {
        const writes = typeof second === "string" && second !== "r";
        if (writes && !fs.existsSync(path)) disk.willRename(path);
        else if (writes && second.startsWith("w")) disk.willWrite(path);
        const fd = call(...args) as number;
        process.descriptors.set(fd, path);
        return fd;
      }
      case "close":
        process.descriptors.delete(first as number);
        return call(...args);
      case "fsync":
      case "fdatasync":
        disk.synced(path);
        return undefined; // what is not simulated need not be waited for
      case "mkdtemp":
        made += 1;
        fs.mkdirSync(`${path}${String(made).padStart(RANDOM_LENGTH, "0")}`, { mode: 0o700 });
        return `${path}${String(made).padStart(RANDOM_LENGTH, "0")}`;
      case "rename":
        disk.willRename(path);
        disk.willRename(resolve(second as string));
        call(...args);
        return disk.renamed(path, resolve(second as string));
      case "link":
        disk.willRename(resolve(second as string));
        return call(...args);
      case "rm":
      case "unlink":
        disk.willRename(path);
        return call(...args);
      case "stat":
      case "lstat":
      case "fstat":
        return disk.withTimes(call(...args) as fs.Stats);
      default:
        return call(...args);
    }
  };
}

/** Half of a write is there. */
function halfOf(name: string, args: readonly unknown[]): (() => void) | undefined {
  if (name !== "write" || !ArrayBuffer.isView(args[1])) return undefined;
  const [fd, bytes, offset = 0, length = bytes.byteLength, position = null] = args as [
    ...[number, Uint8Array],
    ...[number?, number?, (number | null)?],
  ];
  return () => void fs.writeSync(fd, bytes, offset, length >> 1, position);
}

function targetOf(process: SimulatedProcess, what: unknown): string {
  if (typeof what === "number") return process.descriptors.get(what) ?? `descriptor ${what}`;
  return resolve(String(what));
}
