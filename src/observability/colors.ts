import picocolors from "picocolors";

export type Colors = ReturnType<typeof picocolors.createColors>;

/** Colours, or functions that change nothing. Who asks decides: terminal or not, NO_COLOR or not. */
export function colors(enabled: boolean): Colors {
  return picocolors.createColors(enabled);
}
