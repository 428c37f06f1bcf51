import { isWalrustError, type WalrustError } from "../errors.ts";
import { hasChecksums, type LtxHeader, type LtxTrailer } from "../ltx/format.ts";
import type { Catalog } from "./catalog.ts";
import type { RestoreFile } from "./restore-file.ts";

type Learned = Pick<RestoreFile, "preApply" | "postApply">;

/**
 * What reading has taught of a database's files. It counts for more than what the manifest claims: with it a
 * restore finds its way around a file that turns out to be damaged, where there is one.
 */
export class Evidence {
  readonly #damaged = new Set<string>();
  readonly #learned = new Map<string, Partial<Learned>>();
  readonly #spoken = new Set<string>();
  #isNews = false;

  /** Keys of files that are not what they should be. */
  get damaged(): readonly string[] {
    return [...this.#damaged];
  }

  /** The checksums of a file as its own header and trailer tell them. */
  learn(file: RestoreFile, header: LtxHeader, trailer?: LtxTrailer): void {
    if (trailer) this.#spoken.add(file.key);
    if (!hasChecksums(header)) return;
    const learned = { preApply: header.preApply, ...(trailer && { postApply: trailer.postApply }) };
    this.#learned.set(file.key, { ...this.#learned.get(file.key), ...learned });
    if (Object.entries(learned).some(([field, value]) => file[field as keyof Learned] !== value)) {
      this.#isNews = true;
    }
  }

  /** Whether both ends of a file were read. */
  knows({ key }: RestoreFile): boolean {
    return this.#spoken.has(key);
  }

  /**
   * Whether an error of a file's own, or of two that do not fit, tells something that a plan made before it
   * did not reckon with: then another plan may do.
   */
  isNews(error: unknown): error is WalrustError {
    if (isWalrustError(error, "INTEGRITY_FORMAT", "INTEGRITY_CHECKSUM")) return this.#blame(error);
    const isNews = isWalrustError(error, "INTEGRITY_CHAIN") && this.#isNews;
    this.#isNews = false;
    return isNews;
  }

  /** Files that are damaged count as gone: what was in them stays known as lost. */
  amend(catalog: Catalog): Catalog {
    this.#isNews = false;
    const isDamaged = ({ key }: RestoreFile) => this.#damaged.has(key);
    return {
      ...catalog,
      present: catalog.present.filter((file) => !isDamaged(file)).map((file) => this.#amended(file)),
      // a repair, since nothing is proved of the single commits in them
      missing: [
        ...catalog.missing,
        ...catalog.present.filter(isDamaged).map((file) => ({ ...file, isRepair: true })),
      ],
    };
  }

  #blame(error: WalrustError): boolean {
    const { object } = error.details;
    if (typeof object !== "string" || this.#damaged.has(object)) return false;
    this.#damaged.add(object);
    return true;
  }

  #amended(file: RestoreFile): RestoreFile {
    return { ...file, ...this.#learned.get(file.key) };
  }
}
