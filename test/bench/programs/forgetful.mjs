import { actAsWalrust } from "./act-as-walrust.mjs";
import { forgetLastRow } from "./forget-last-row.mjs";

actAsWalrust(forgetLastRow);
