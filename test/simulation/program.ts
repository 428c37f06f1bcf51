import { createRequire } from "node:module";
import * as os from "node:os";
import { Script } from "node:vm";
import { simulatedDriver } from "./simulated-driver.ts";
import { simulatedFiles } from "./simulated-files.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import { errno, type World } from "./world.ts";

export type Production = typeof import("./production.ts");

type Main = (
  require: (name: string) => unknown,
  module: { exports: unknown },
  exports: unknown,
  process: unknown,
  assembly: unknown,
) => void;

/**
 * The program, ready to be loaded once for each process: its modules of Node are those of the simulated machine, and its own state is its own.
 * @param source a bundle of production.ts as a CommonJS module
 */
export function programOf(source: string): (process: SimulatedProcess, world: World) => Production {
  const main = new Script(
    `(function (require, module, exports, process, WebAssembly) {${source}\n})`,
  ).runInThisContext() as Main;
  const require = createRequire(import.meta.url);
  const assembly = compiledOnce();
  return (process, world) => {
    const files = simulatedFiles(process, world.disk, { read: (path) => procFile(path, world) });
    const driver = simulatedDriver(process, {
      around: (path, sql, effect) => (path === world.path ? world.statement(sql, effect) : effect()),
    });
    const pause = () => process.later({ kind: "pause", name: "pause", target: "" }, () => undefined);
    const modules: Readonly<Record<string, unknown>> = {
      "node:fs": files.sync,
      "node:fs/promises": files.promises,
      "node:os": { ...os, tmpdir: () => world.folder },
      "node:timers/promises": { setImmediate: pause },
      "better-sqlite3": driver,
    };
    const module = { exports: {} };
    main(
      (name) => modules[name] ?? require(name),
      module,
      module.exports,
      processOf(process, world),
      assembly,
    );
    return module.exports as Production;
  };
}

/** `process` as the program sees it. */
function processOf(own: SimulatedProcess, world: World) {
  const kill = (pid: number) => {
    if (![...world.processes].some((other) => other.pid === pid))
      throw errno("ESRCH", { name: "kill", target: String(pid) });
  };
  return Object.create(process, {
    pid: { value: own.pid },
    kill: { value: kill },
    env: { value: {} },
  }) as unknown;
}

/** A process began when it got its pid: none is used twice. */
function procFile(path: string, world: World): string | undefined {
  if (path === "/proc/sys/kernel/random/boot_id") return `${world.boot}\n`;
  const [, pid] = /^\/proc\/(\d+)\/stat$/.exec(path) ?? [];
  return pid === undefined ? undefined : `${pid} (walrust) S${" 0".repeat(18)} ${pid}`;
}

/** Each process compiles its own modules; here all get the same, which hold no state, and none waits for another thread. */
function compiledOnce() {
  const modules = new Map<string, WebAssembly.Module>();
  const compiled = (bytes: Uint8Array) => {
    const key = Buffer.from(bytes).toString("latin1");
    const module = modules.get(key) ?? new WebAssembly.Module(Buffer.from(bytes));
    modules.set(key, module);
    return module;
  };
  function Module(bytes: Uint8Array) {
    return compiled(bytes);
  }
  const compile = async (bytes: Uint8Array) => compiled(bytes);
  const instantiate = async (
    module: WebAssembly.Module,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {},
  ) => new WebAssembly.Instance(module, imports);
  return Object.assign(Object.create(WebAssembly), { Module, compile, instantiate }) as typeof WebAssembly;
}
