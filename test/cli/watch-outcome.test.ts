import { expect, test } from "vitest";
import { refuseIncomplete } from "../../src/cli/watch-outcome.ts";
import { WalrustError } from "../../src/errors.ts";

const away = new WalrustError("STORAGE_NETWORK", "no route");
const good = { name: "a", isComplete: true, error: undefined };
const bad = { name: "b", isComplete: false, error: away };
const late = { name: "c", isComplete: false, error: undefined };

test.each([[[]], [[good]], [[good, { ...good, name: "b" }]]])("all is there: case %#", (results) => {
  expect(() => refuseIncomplete(results)).not.toThrow();
});

test.each([
  ["the only one has its own trouble", [bad], { code: "STORAGE_NETWORK", exitCode: 4 }],
  ["the only one was not done", [late], { code: "UNPUBLISHED", exitCode: 1 }],
  [
    "some of many",
    [good, bad, late],
    { code: "UNPUBLISHED", message: "storage does not have everything of 2 of 3 databases: b (no route), c" },
  ],
  [
    "so many that a line cannot name them",
    Array.from({ length: 12 }, (_, at) => ({ ...late, name: `d${at}` })),
    {
      message:
        "storage does not have everything of 12 of 12 databases: d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, and 2 more",
      details: { databases: Array.from({ length: 12 }, (_, at) => `d${at}`).join(", ") },
    },
  ],
])("%s", (_, results, error) => {
  expect(() => refuseIncomplete(results)).toThrow(expect.objectContaining(error));
});
