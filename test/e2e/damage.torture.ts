import { test } from "vitest";
import { damageEach, soundChain } from "../helpers/e2e/damaged-chain.ts";
import { ltxFiles } from "../helpers/e2e/storage-folder.ts";

test("every damage to every object of a chain", async () => {
  const at = await soundChain();
  for (const index of ltxFiles(at, "app").keys()) await damageEach(at, index);
});
