import { describe, expect, test } from "vitest";
import { decodeWalHeader } from "../../src/wal/header.ts";
import { startOf } from "../../src/wal/position.ts";
import { LogScanner } from "../../src/wal/scanner.ts";
import { Core, compileCore } from "../../src/wasm/core.ts";
import { CORE_WASM_BASE64 as DEBUG } from "../../src/wasm/generated/debug.ts";
import { CORE_WASM_BASE64 as RELEASE } from "../../src/wasm/generated/release.ts";
import { goldenLogs, readAtOf } from "../helpers/wal/golden.ts";
import { readLog } from "../helpers/wal/twin.ts";

const logs = goldenLogs();

describe.each([
  ["release", RELEASE],
  ["debug", DEBUG],
])("%s", (_build, wasm) => {
  const scanner = new LogScanner(new Core(compileCore(wasm)));

  test.each(logs)("$name, as its slow twin reads it", ({ log }) => {
    const twin = readLog(log);
    const header = decodeWalHeader(log);
    if (header === undefined) return expect(twin).toBeUndefined();
    const last = twin?.transactions.at(-1);
    const { position, commits } = scanner.scan(readAtOf(log), header, startOf(header));
    expect(commits).toBe(twin?.transactions.length);
    expect(position.offset).toBe(last?.endOffset ?? 32);
    const checksum = last?.checksum ?? [header.checksum1, header.checksum2];
    expect([position.checksum1, position.checksum2]).toEqual(checksum);
  });
});
