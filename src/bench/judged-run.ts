import type { Tool } from "./tools/tool.ts";
import { type Bench, VoidRun, type Workload } from "./workload.ts";
import type { Writer } from "./writer.ts";

/** One run of a workload. Throws VoidRun where what was restored is not what was written, and where nothing was restored and compared at all. */
export async function judgedRun(
  workload: Workload,
  tool: Tool,
  bench: Bench,
): Promise<Readonly<Record<string, number>>> {
  let judged = 0;
  const check: Writer["check"] = async (...record) => {
    await bench.writer.check(...record);
    judged += 1;
  };
  const values = await workload.run(tool, { ...bench, writer: { ...bench.writer, check } });
  if (judged === 0) throw new VoidRun(`${workload.id} with ${tool.name}: nothing was restored and compared`);
  return values;
}
