import { cpus, totalmem } from "node:os";

/** What the figures were measured on. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly node: string;
}

export function thisMachine(): Machine {
  const { platform, arch, version: node } = process;
  const processors = cpus();
  const [first] = processors;
  return {
    platform,
    arch,
    processor: first?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryBytes: totalmem(),
    node,
  };
}
