import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface WebhookSink {
  readonly url: string;
  /** Documents so far, by event. */
  readonly received: ReadonlyMap<string, number>;
  close(): void;
}

/** Takes the webhooks of a run, and counts them: a run of hours keeps none of them. */
export async function startWebhookSink(): Promise<WebhookSink> {
  const received = new Map<string, number>();
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    const { event } = JSON.parse(body) as { readonly event: string };
    received.set(event, (received.get(event) ?? 0) + 1);
    response.writeHead(204).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    received,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
