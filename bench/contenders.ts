import { execFileSync } from "node:child_process";
import { litestream } from "../src/bench/tools/litestream.ts";
import type { Tool } from "../src/bench/tools/tool.ts";
import { walrust } from "../src/bench/tools/walrust.ts";
import type { Workload } from "../src/bench/workload.ts";
import { type Programs, UsageError } from "./arguments.ts";
import { RUST_WALRUST, rustWalrust } from "./rust-walrust.ts";

/** A program, with the version that it says it has. */
export interface Contender {
  readonly tool: Tool;
  readonly version: string;
}

/** All tools of a run, ours first. Errors: UsageError for a program that is not there. */
export async function contendersOf(
  { walrust: own, litestream: peer, rustWalrust: rust, only }: Programs,
  projectFolder: string,
): Promise<readonly Contender[]> {
  const tools = [walrust(own), litestream(peer), ...(rust === undefined ? [] : [rustWalrust(rust)])];
  const chosen = tools.filter(({ name }) => only === undefined || name === only);
  return Promise.all(
    chosen.map(async (tool) => {
      const version = await versionOf(tool);
      return { tool, version: tool.name === "walrust" ? version + revisionOf(projectFolder) : version };
    }),
  );
}

/** A tool that knows S3 only is no part of what is measured with a folder. */
export function canMeasure(tool: Tool, workload: Workload): boolean {
  return workload.compares
    ? tool.name !== RUST_WALRUST || workload.storage === "s3"
    : tool.name === "walrust";
}

async function versionOf(tool: Tool): Promise<string> {
  try {
    const version = await tool.version();
    if (version !== "") return version;
  } catch {
    // Said below: whatever stands in its way, it cannot be measured.
  }
  throw new UsageError(`${tool.name} does not run here: give its path, or another one with --only`);
}

/** The commit that is measured, and whether what the program is made of was changed since. */
function revisionOf(projectFolder: string): string {
  const git = (...args: readonly string[]) =>
    execFileSync("git", args, { cwd: projectFolder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  try {
    const commit = git("rev-parse", "--short", "HEAD").trim();
    const changes = git("status", "--porcelain", "--", "src", "assembly", "build", "package-lock.json");
    return ` (${commit}${changes === "" ? "" : ", changed"})`;
  } catch {
    return ""; // a package, not a checkout
  }
}
