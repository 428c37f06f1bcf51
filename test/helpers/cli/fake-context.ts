import { Writable } from "node:stream";
import type { CliContext, Output } from "../../../src/cli/context.ts";
import { systemClock } from "../../../src/clock.ts";

export interface FakeContext extends CliContext {
  /** Milliseconds of the clock; it stands still until a test moves it. */
  nowMs: number;
  printed(): string;
  complained(): string;
}

export interface FakeContextOptions {
  readonly isTTY?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** A command's world in memory. */
export function fakeContext({ isTTY = false, env = {} }: FakeContextOptions = {}): FakeContext {
  const [out, err] = [new Text(isTTY), new Text(isTTY)];
  const context: FakeContext = {
    nowMs: 1_000_000,
    stdin: process.stdin,
    stdout: out,
    stderr: err,
    env,
    colorDepth: 1,
    cwd: "/",
    version: "1.2.3",
    program: "/cli.js",
    clock: { ...systemClock, now: () => context.nowMs, monotonicMs: () => context.nowMs },
    signal: new AbortController().signal,
    setEngineFlag: () => {},
    onHangup: () => {},
    printed: () => out.text,
    complained: () => err.text,
  };
  return context;
}

class Text extends Writable implements Output {
  readonly isTTY: boolean;
  readonly columns = 100;
  text = "";

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
