import { vi } from "vitest";
import { CONCLUDING, describeCommands, isAnAnswer } from "./network-commands.ts";

vi.mock("../../src/storage/http-pool.ts", async (importOriginal) => {
  const { withShortTimeouts } = await import("./short-timeouts.ts");
  return withShortTimeouts(await importOriginal());
});

// All other commands and faults run in network-commands.thorough.ts.
describeCommands((fault, command) => isAnAnswer(fault) && CONCLUDING.includes(command));
