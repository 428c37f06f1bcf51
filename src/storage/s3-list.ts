import { WalrustError } from "../errors.ts";
import { compareKeys } from "./key-rules.ts";
import type { Provider } from "./provider.ts";
import type { Persistence } from "./retry.ts";
import { LIST_ROOT, parseListPage } from "./s3-list-page.ts";
import type { S3Requests } from "./s3-requests.ts";
import type { StoredObject } from "./storage.ts";

export interface ListContext {
  readonly requests: S3Requests;
  readonly persistence: Persistence;
  readonly provider: Provider;
}

/**
 * All objects below root + prefix, with keys behind the root, in the order of their UTF-8 bytes. Where the provider does not
 * keep that order, the whole list is put in order before the first object is given.
 */
export async function* listObjects(
  context: ListContext,
  root: string,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<StoredObject> {
  const { provider } = context;
  const objects = pages(context, root, prefix, signal);
  if (!provider.ordersKeys) {
    const all: StoredObject[] = [];
    for await (const object of objects) all.push(object);
    yield* all.sort((a, b) => compareKeys(a.key, b.key));
    return;
  }
  let previous: string | undefined;
  for await (const object of objects) {
    if (previous !== undefined && compareKeys(previous, object.key) >= 0) {
      throw new WalrustError(
        "STORAGE_REJECTED",
        `${provider.name} lists ${object.key} behind ${previous}: not in order`,
      );
    }
    previous = object.key;
    yield object;
  }
}

/** Beyond it a list is taken for one that never ends: what walrust keeps has a small part of that. */
const MOST_OBJECTS = 10_000_000;
/** A page of 1,000 long keys has 2 MB. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;
/** Lists on slow disks take their time. */
const ANSWER_TIMEOUT_MS = 120_000;
/** Servers may give pages of a few keys, or none when they filtered them all: so few they never are. */
const MOST_EMPTY_PAGES = 1000;

async function* pages(
  { requests, persistence }: ListContext,
  root: string,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<StoredObject> {
  const listed = root + prefix;
  const list = async (token: string | undefined) => {
    const query = {
      ...{ "list-type": "2", prefix: listed },
      ...(token !== undefined && { "continuation-token": token }),
    };
    const request = { method: "GET", key: "", query, answerTimeoutMs: ANSWER_TIMEOUT_MS, signal } as const;
    const document = await requests.sendForDocument(request, LIST_ROOT, MAX_PAGE_BYTES);
    return parseListPage(document, listed, `list ${listed}`);
  };
  let token: string | undefined;
  let objects = 0;
  let emptyPages = 0;
  let first: string | undefined;
  do {
    const page = await persistence.run(() => list(token), signal);
    objects += page.objects.length;
    emptyPages = page.objects.length === 0 ? emptyPages + 1 : 0;
    const isAgain = first !== undefined && page.objects[0]?.key === first;
    first = page.objects[0]?.key;
    const isEndless =
      isAgain ||
      objects > MOST_OBJECTS ||
      emptyPages > MOST_EMPTY_PAGES ||
      (page.next !== undefined && page.next === token);
    if (isEndless)
      throw new WalrustError("STORAGE_REJECTED", `the list of ${listed} does not come to an end`);
    for (const { key, ...facts } of page.objects) yield { key: key.slice(root.length), ...facts };
    token = page.next;
  } while (token !== undefined);
}
