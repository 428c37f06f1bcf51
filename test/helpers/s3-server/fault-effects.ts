import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Fault } from "./faults.ts";
import type { Answer } from "./operations.ts";
import type { RequestRecord } from "./server.ts";
import { errorDocument } from "./xml.ts";

/** Whether the fault took the request's place. */
export function failsBefore(
  fault: Fault,
  request: IncomingMessage,
  response: ServerResponse,
  record: RequestRecord,
): boolean {
  if (fault.kind === "reset" && fault.when === "before") {
    request.socket.destroy();
    return true;
  }
  if (fault.kind === "stall" && fault.when === "before") return true;
  if (fault.kind === "html") {
    record.status = fault.status;
    response
      .writeHead(fault.status, { "Content-Type": "text/html" })
      .end("<html><body>Welcome</body></html>");
    return true;
  }
  if (fault.kind === "answer" && fault.when === "instead") {
    const answer = fault.change({ status: 200, headers: {}, body: Buffer.alloc(0) }, record);
    record.status = answer.status;
    send(response, answer, record.method);
    return true;
  }
  if (fault.kind !== "refuse") return false;
  record.status = fault.status;
  const body = fault.code === undefined ? "" : errorDocument(fault.code, "as told");
  response.writeHead(fault.status, { "Content-Type": "application/xml", ...fault.headers });
  response.end(record.method === "HEAD" ? undefined : body);
  return true;
}

/** Whether the fault took the answer's place. */
export function failsAfter(
  fault: Fault,
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  record: RequestRecord,
): boolean {
  const { method } = record;
  switch (fault.kind) {
    case "reset":
      request.socket.destroy();
      return true;
    case "stall":
      return true;
    case "cut":
      response.writeHead(answer.status, { ...answer.headers, "Content-Length": String(answer.body.length) });
      response.write(answer.body.subarray(0, fault.afterBytes), () => {
        if (fault.how === "reset") request.socket.destroy();
      });
      return true;
    case "length":
      response.writeHead(answer.status, {
        ...answer.headers,
        "Content-Length": String(answer.body.length + fault.differenceBytes),
      });
      // Past node's own check of the length: this is what a broken server does.
      request.socket.cork();
      response.flushHeaders();
      request.socket.end(answer.body);
      request.socket.uncork();
      return true;
    case "answer":
      send(response, fault.change(answer, record), method);
      return true;
    case "endless":
      response.writeHead(answer.status, answer.headers);
      pourZeros(response);
      return true;
    case "late":
      setTimeout(() => send(response, answer, method), fault.afterMs).unref();
      return true;
    case "drip":
      drip(request.socket, wire(answer, method), fault);
      return true;
    default:
      send(response, answer, method);
      return true;
  }
}

/** Reads so much of a request's body, and no more. */
export async function leaveUnread(
  request: IncomingMessage,
  { afterBytes, how }: Extract<Fault, { kind: "unread" }>,
): Promise<void> {
  let read = 0;
  request.on("error", () => {}); // the client gives up
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    read += (piece as Buffer).length;
    if (read >= afterBytes) break;
  }
  if (how === "reset") request.socket.destroy();
  else request.pause();
}

function pourZeros(response: ServerResponse): void {
  const zeros = Buffer.alloc(1 << 20);
  const pour = () => {
    while (!response.destroyed && response.write(zeros));
    if (!response.destroyed) response.once("drain", pour);
  };
  pour();
}

function wire(answer: Answer, method: string): { readonly head: Buffer; readonly body: Buffer } {
  const fields = Object.entries({ ...answer.headers, "Content-Length": String(answer.body.length) });
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return {
    head: Buffer.from(`HTTP/1.1 ${answer.status} X\r\n${head}\r\n`, "latin1"),
    body: method === "HEAD" ? Buffer.alloc(0) : answer.body,
  };
}

function drip(
  socket: Socket,
  { head, body }: ReturnType<typeof wire>,
  { everyMs, what }: Extract<Fault, { kind: "drip" }>,
): void {
  const bytes = what === "head" ? Buffer.concat([head, body]) : body;
  if (what === "body") socket.write(head);
  let at = 0;
  const timer = setInterval(() => {
    if (at < bytes.length && !socket.destroyed) socket.write(bytes.subarray(at, ++at));
    else clearInterval(timer);
  }, everyMs);
  socket.on("close", () => clearInterval(timer));
}

export function send(response: ServerResponse, answer: Answer, method: string): void {
  response.writeHead(answer.status, { ...answer.headers, "Content-Length": String(answer.body.length) });
  response.end(method === "HEAD" ? undefined : answer.body);
}
