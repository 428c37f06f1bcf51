import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { wholeNumberFlag } from "../../../src/cli/flag-values.ts";
import { replicaAddress } from "../../../src/cli/replica-address.ts";
import { restoreTarget } from "../../../src/cli/restore-target.ts";
import { askDaemon } from "../../../src/daemon/ask-daemon.ts";
import { parseRequest } from "../../../src/daemon/control-protocol.ts";
import { ERROR_KINDS, type ErrorCode } from "../../../src/errors.ts";
import { parse, stringify } from "../../../src/json.ts";
import { sandbox } from "../sandbox.ts";
import { inputOf, type Target, textOf } from "../target.ts";

/** What people and other processes of walrust say. */

const json: Target = {
  name: "json",
  holds: "says the same when it is written down and read again",
  input: "text",
  seeds: () =>
    ['{"a":[1,2.5,-3e4,18446744073709551615],"b":{"c":null,"d":"\\u00e4"},"e":true}', "9007199254740993"].map(
      inputOf,
    ),
  codes: ["USAGE"],
  inputs: 1500,
  run(input) {
    // Every caller takes what it throws for a document that is none.
    let value: unknown;
    try {
      value = parse(textOf(input));
    } catch {
      return undefined;
    }
    // What is nested thousands deep is read and never written.
    const text =
      textOf(input).includes("[[[[[[[[") || textOf(input).includes(':{"a":{"a":{')
        ? "null"
        : (stringify(value) ?? "null");
    assert.equal(stringify(parse(text)), text);
    return value;
  },
};

const request: Target = {
  name: "control-request",
  holds: "a request that the daemon knows",
  input: "text",
  words: ['"command"', '"snapshot"', '"status"', '"database"', '"version"'],
  seeds: () =>
    ['{"version":1,"command":"status"}', '{"version":1,"command":"snapshot","database":"/data/app.db"}'].map(
      inputOf,
    ),
  codes: ["USAGE"],
  inputs: 2000,
  run(input) {
    const asked = parseRequest(textOf(input));
    assert(asked.command === "status" || typeof asked.database === "string");
    return asked;
  },
};

let server: Server | undefined;
let reply: Uint8Array = new Uint8Array();

async function socketPath(): Promise<string> {
  const path = join(sandbox().scratch, "d.sock");
  if (server !== undefined) return path;
  server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", () => socket.end(reply));
  });
  server.unref();
  await new Promise<void>((resolve) => server?.listen(path, resolve));
  return path;
}

const answer: Target = {
  name: "control-reply",
  holds: "a reply that is an object, or the error that the daemon tells",
  input: "text",
  words: ['"reply"', '"error"', '"code"', '"message"', '"hint"', '"USAGE"', '"constructor"'],
  seeds: () =>
    [
      '{"reply":{"key":"app/1.ltx","txid":18446744073709551615,"sizeBytes":5}}\n',
      '{"error":{"code":"USAGE","message":"no","hint":"do"}}\n',
    ].map(inputOf),
  codes: Object.keys(ERROR_KINDS) as ErrorCode[],
  inputs: 500,
  async run(input) {
    reply = input;
    const replied = await askDaemon(await socketPath(), { command: "snapshot", database: "/data/app.db" });
    assert(typeof replied === "object" && replied !== null, `a ${typeof replied}`);
    return replied;
  },
};

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|([+-])(\d\d):(\d\d))$/;

/** Unix ms of a moment, by the calendar; undefined: it is none (RFC 3339, section 5.6). */
function momentOf(text: string): number | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const [zoneHours = 0, zoneMinutes = 0] = match.slice(10, 12).map((part) => Number(part ?? 0));
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  if (day < 1 || day > days || hour > 23 || minute > 59 || second > 59 || zoneHours > 23 || zoneMinutes > 59)
    return undefined;
  const ms = Math.floor(Number(`0${match[7] ?? ""}`) * 1000 + 1e-9);
  const utc = new Date(0);
  utc.setUTCFullYear(year, month - 1, day);
  utc.setUTCHours(hour, minute, second, Math.min(999, ms));
  return utc.getTime() - (match[9] === "-" ? -1 : 1) * (zoneHours * 60 + zoneMinutes) * 60_000;
}

const points: Target = {
  name: "restore-points",
  holds: "a TXID of 64 bits, or the very moment that RFC 3339 means",
  input: "text",
  words: [
    "2026-01-31T12:00:00Z",
    "+01:00",
    "-23:59",
    "T24",
    "02-29",
    "02-30",
    ".123456789",
    "18446744073709551615",
    ":60",
    ":",
  ],
  seeds: () =>
    [
      "2026-01-31T12:00:00Z",
      "2024-02-29 23:59:59.999+01:00",
      "2026-01-31t00:00:00.5-08:30",
      "42",
      "18446744073709551615",
    ].map(inputOf),
  codes: ["USAGE"],
  inputs: 4000,
  run(input) {
    const text = textOf(input);
    if (text.length % 2 === 0)
      restoreTarget({
        pointInTime: undefined,
        txid: /^\d{1,19}$/.test(text) && BigInt(text) > 0n ? text : "1",
        nearest: false,
      });
    const target = restoreTarget({ pointInTime: text, txid: undefined, nearest: true });
    if (target.kind === "time") assert.equal(target.timestampMs, momentOf(text));
    if (target.kind === "txid")
      assert(target.txid >= 1n && target.txid < 2n ** 64n && String(target.txid) === text.replace(/^0+/, ""));
    return target;
  },
};

const addresses: Target = {
  name: "replica-addresses",
  holds: "a name, and a storage where the address has one",
  input: "text",
  words: ["s3://", "file:///", "://", "/", "@"],
  seeds: () =>
    ["s3://bucket/app", "s3://bucket/prefix/app", "file:///backup/app", "tenants/app"].map(inputOf),
  codes: ["USAGE"],
  inputs: 2000,
  run(input) {
    const text = textOf(input);
    const address = replicaAddress(text, undefined);
    if (address.bucket !== undefined) assert.equal(`${address.bucket}/${address.name}`, text);
    return address;
  },
};

const numbers: Target = {
  name: "whole-numbers",
  holds: "a whole number within its bounds",
  input: "text",
  seeds: () => ["0", "7", "100000"].map(inputOf),
  codes: ["USAGE"],
  inputs: 1000,
  run(input) {
    const value = wholeNumberFlag("--n", textOf(input), { least: 1, most: 100_000 });
    assert(value !== undefined && Number.isInteger(value) && value >= 1 && value <= 100_000);
    return value;
  },
};

export const SPOKEN_TARGETS: readonly Target[] = [json, request, answer, points, addresses, numbers];
