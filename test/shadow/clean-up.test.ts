import { expect, it } from "vitest";
import { withCleanUp } from "../../src/shadow/clean-up.ts";

const failing = (message: string) => () => {
  throw new Error(message);
};

it("tells the failure of the work, whatever becomes of the clearing up", async () => {
  await expect(withCleanUp(async () => failing("work")(), failing("clean-up"))).rejects.toThrow("work");
});

it("tells that of the clearing up where the work was done", async () => {
  await expect(withCleanUp(async () => 1, failing("clean-up"))).rejects.toThrow("clean-up");
});

it("clears up once, behind the work, however it ended", async () => {
  const done: string[] = [];
  const cleanUp = () => void done.push("clean-up");
  expect(await withCleanUp(async () => done.push("work"), cleanUp)).toBe(1);
  await expect(withCleanUp(async () => failing("work")(), cleanUp)).rejects.toThrow("work");
  expect(done).toEqual(["work", "clean-up", "clean-up"]);
});
