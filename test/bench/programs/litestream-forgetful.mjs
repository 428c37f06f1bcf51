import { actAsLitestream } from "./act-as-litestream.mjs";
import { forgetLastRow } from "./forget-last-row.mjs";

actAsLitestream(forgetLastRow);
