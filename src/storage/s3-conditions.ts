import { isWalrustError } from "../errors.ts";
import type { StorageLogger } from "./dependencies.ts";
import type { Provider } from "./provider.ts";
import type { PutCondition } from "./storage.ts";

/** How conditions on PUT hold at one storage: as its provider is known for, else as it shows. */
export class S3Conditions {
  readonly #provider: Provider;
  readonly #url: string;
  readonly #logger: StorageLogger;
  #areKept: boolean;
  #areProved: boolean;
  #bareEtags: boolean;
  #quotesAreProved: boolean;

  constructor(provider: Provider, url: string, logger: StorageLogger) {
    this.#provider = provider;
    this.#url = url;
    this.#logger = logger;
    this.#areKept = provider.conditionalPut;
    this.#areProved = provider.conditionalPutIsKnown;
    this.#bareEtags = provider.bareEtags;
    this.#quotesAreProved = provider.conditionalPutIsKnown;
  }

  /** As far as is known: nobody has seen them fail. */
  get areKept(): boolean {
    return this.#areKept;
  }

  /** Whether a PUT has to show it. */
  get areDoubted(): boolean {
    return this.#areKept && !this.#areProved;
  }

  /** Whether somebody has to look before a PUT. */
  get needLook(): boolean {
    return !this.#areKept || !this.#areProved;
  }

  get areKeptOnComplete(): boolean {
    return this.#areKept && this.#provider.conditionalComplete;
  }

  headersOf(condition: PutCondition | undefined): Record<string, string> {
    if (condition === undefined || !this.#areKept) return {};
    if (condition.kind === "absent") return { "if-none-match": "*" };
    return { "if-match": this.#bareEtags ? condition.etag.replaceAll('"', "") : condition.etag };
  }

  /** Whether a match may have failed for the way in which its etag was written. */
  get quotesAreDoubted(): boolean {
    return this.#areKept && !this.#quotesAreProved;
  }

  /** They were seen to hold. */
  prove(): void {
    this.#areProved = true;
  }

  /** A match was seen to hold. */
  proveQuotes(): void {
    this.#quotesAreProved = true;
  }

  /** They were seen not to hold: from here on a look takes their place. */
  giveUp(how: "refuses" | "ignores"): void {
    if (!this.#areKept) return;
    this.#areKept = false;
    this.#logger.warn(
      { storage: this.#url },
      `${this.#url} ${how} conditions on PUT: two machines that write one backup at the same moment are told apart only some seconds later`,
    );
  }

  /** The other form of etags in If-Match. */
  toggleQuotes(): void {
    this.#bareEtags = !this.#bareEtags;
  }
}

/** A server that does not know the header. */
export function refusesConditions(error: unknown): boolean {
  return isWalrustError(error) && error.details["status"] === 501;
}
