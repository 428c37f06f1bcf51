import type { Socket } from "node:net";

/** The first line that comes; rejects when the other side ends before, or sends more than `maxBytes`. */
export function readLine(socket: Socket, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let sizeBytes = 0;
    let isRead = false;
    socket.on("data", (piece: Buffer) => {
      if (isRead) return; // whatever follows is nobody's, and must not pile up while the answer is made
      const end = piece.indexOf("\n");
      pieces.push(end < 0 ? piece : piece.subarray(0, end));
      sizeBytes += piece.length;
      isRead = end >= 0;
      if (isRead) resolve(Buffer.concat(pieces).toString("utf8"));
      else if (sizeBytes > maxBytes) reject(new Error("the line is too long"));
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed before a whole line came")));
  });
}
