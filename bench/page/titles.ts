/** How the page calls a tool. */
export const TITLES: Readonly<Record<string, string>> = {
  walrust: "walrust",
  litestream: "Litestream",
  "rust-walrust": "walrust in Rust",
};
