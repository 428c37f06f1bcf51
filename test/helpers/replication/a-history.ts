import { MemoryStorage } from "../memory-storage.ts";
import { History } from "../restore/history.ts";
import { ImageMaker } from "../restore/images.ts";

/** A snapshot at TXID 1 and increments to TXID 5, the last one of two commits. */
export async function aHistory(seed = 1) {
  const storage = new MemoryStorage();
  const history = new History(storage);
  const images = new ImageMaker(512, seed);
  let image = images.next(20);
  await history.snapshot(image);
  for (const [pages, commits] of [
    [20, 1],
    [30, 1],
    [12, 2],
  ] as const) {
    image = images.next(pages, image);
    await history.publish(image, { commits });
  }
  return { storage, history };
}
