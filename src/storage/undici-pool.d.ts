/** undici's types describe its main module only; the pool alone is a third of its memory (http-pool.ts). */
declare module "undici/lib/dispatcher/pool.js" {
  import { Pool } from "undici";
  export default Pool;
}
