import { actAsWalrust } from "./act-as-walrust.mjs";

actAsWalrust(() => {
  process.exitCode = 1;
});
