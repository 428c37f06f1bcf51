import { actAsWalrust } from "./act-as-walrust.mjs";

actAsWalrust(() => {});
