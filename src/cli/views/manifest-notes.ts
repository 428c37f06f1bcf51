import type { ManifestState } from "../../restore/catalog.ts";

/** What people must know where the objects alone were asked: a list shows what is there, never what is gone. */
export function manifestNotes(name: string, state: ManifestState): readonly string[] {
  switch (state) {
    case "ok":
      return [];
    case "missing":
      return ["There is no manifest: whether newer objects are gone cannot be known."];
    case "none":
      return ["The Litestream layout has no manifest: whether newer objects are gone cannot be known."];
    case "damaged":
      return [
        "The manifest is damaged and was not used: whether newer objects are gone cannot be known. " +
          `\`walrust verify ${name} --fix\` makes it again.`,
      ];
    default:
      return state satisfies never;
  }
}
