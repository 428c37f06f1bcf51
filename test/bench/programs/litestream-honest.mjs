import { actAsLitestream } from "./act-as-litestream.mjs";

actAsLitestream(() => {});
