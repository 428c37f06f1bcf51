import { expect, test } from "vitest";
import { parse, stringify } from "../src/json.ts";

test.each([0n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])("%s survives as an integer", (value) => {
  const text = stringify({ txid: value });
  expect(text).toBe(`{"txid":${value}}`);
  const { txid } = parse(text as string) as { txid: number | bigint };
  expect(BigInt(txid)).toBe(value);
});

test("other numbers are plain", () => {
  expect(parse('{"a":1,"b":-1.5,"c":1e3}')).toEqual({ a: 1, b: -1.5, c: 1000 });
});

test.each([
  '{"txid":9007199254740993}',
  "[1,-9007199254740993]",
  "18446744073709551615",
  '{"a" : 12345678901234567890}',
])("%s is not rounded", (text) => {
  const numbers = JSON.stringify(parse(text), (_, value) => (typeof value === "bigint" ? `${value}` : value));
  expect(numbers.replaceAll(/"(-?\d+)"/g, "$1")).toBe(text.replaceAll(" ", ""));
});

test("digits in a string are no number", () => {
  expect(parse('{"a":"1234567890123456789","b":": 12345678901234567","c":2}')).toEqual({
    a: "1234567890123456789",
    b: ": 12345678901234567",
    c: 2,
  });
});

test.each(["", "{", '{"a":1}}', "[01]", "{'a':1}", "9007199254740993x"])("%j is no JSON", (text) => {
  expect(() => parse(text)).toThrow(SyntaxError);
});

test.each(['{"a":1,"a":2}', '[{"a":{"b":1,"b":2}}]', '{"a" :1,"a"\n:"x"}'])("%j has a key twice", (text) => {
  expect(() => parse(text)).toThrow(SyntaxError);
});

test("what looks like a key in a string is none", () => {
  const value = { a: '"b":', c: ['":', { d: null }] };
  expect(parse(JSON.stringify(value))).toEqual(value);
});
