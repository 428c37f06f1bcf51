import type { S3Sdk, S3SdkOptions } from "./s3-sdk.ts";
import type { CredentialProvider } from "./s3-signer.ts";

/** Loads AWS's client (10 MB) with the first rare request, and never when there is none. */
export class S3Rare {
  readonly #options: S3SdkOptions;
  #sdk: Promise<S3Sdk> | undefined;

  constructor(options: S3SdkOptions) {
    this.#options = options;
  }

  /** Fixed credentials cost nothing; all others come through the SDK's chain. */
  readonly credentials: CredentialProvider = async () => {
    return this.#options.credentials ?? (await this.sdk()).credentials();
  };

  sdk(): Promise<S3Sdk> {
    this.#sdk ??= this.#load();
    return this.#sdk;
  }

  async #load(): Promise<S3Sdk> {
    // Its word on the age of node is for developers, and would stand in the middle of our users' logs.
    process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
    const { S3Sdk } = await import("./s3-sdk.ts");
    return new S3Sdk(this.#options);
  }

  async close(): Promise<void> {
    (await this.#sdk)?.close();
  }
}
