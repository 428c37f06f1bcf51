/** What storage costs, in US dollars. Free allowances are left out, and traffic out of the storage too: a backup reads little. */
export interface PriceList {
  /** What the list is of, for people. */
  readonly of: string;
  /** Per GB (10^9 bytes) and month. */
  readonly storageGb: number;
  /** Per 1,000 requests. */
  readonly put: number;
  readonly get: number;
  readonly list: number;
  readonly delete: number;
  /** A fee that every month costs, and the GB that it pays for. */
  readonly fee?: { readonly dollars: number; readonly includedGb: number };
}

/** The providers' public list prices as of this month. They change: an estimate is no offer. */
export const PRICES_AS_OF = "2025-07";

const FREE_REQUESTS = { put: 0, get: 0, list: 0, delete: 0 } as const;

/** By the name of a storage.Provider. Who is not here has no price: it is somebody's own server, or unknown. */
export const PRICES: Readonly<Record<string, PriceList>> = {
  AWS: {
    of: "AWS S3 Standard, us-east-1",
    storageGb: 0.023,
    put: 0.005,
    get: 0.0004,
    list: 0.005,
    delete: 0,
  },
  R2: {
    of: "Cloudflare R2 Standard",
    storageGb: 0.015,
    put: 0.0045,
    get: 0.000_36,
    list: 0.0045,
    delete: 0,
  },
  Tigris: {
    of: "Tigris Standard, one region",
    storageGb: 0.02,
    put: 0.005,
    get: 0.0005,
    list: 0.005,
    delete: 0,
  },
  B2: { of: "Backblaze B2", storageGb: 0.006, put: 0, get: 0.0004, list: 0.004, delete: 0 },
  Wasabi: {
    of: "Wasabi pay as you go (what is deleted within 90 days costs as if it had stayed)",
    storageGb: 0.006_99,
    ...FREE_REQUESTS,
    fee: { dollars: 6.99, includedGb: 1000 },
  },
  Spaces: {
    of: "DigitalOcean Spaces",
    storageGb: 0.02,
    ...FREE_REQUESTS,
    fee: { dollars: 5, includedGb: 250 },
  },
};
