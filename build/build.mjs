// Makes dist/: `node build/build.mjs`. The whole is made beside it and put in place by a rename, so nobody sees half of it.
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { bundle } from "./bundle.mjs";
import { thirdPartyLicenses } from "./licenses.mjs";
import { dist, root } from "./paths.mjs";
import { emitTypes } from "./types.mjs";
import { buildWasm } from "./wasm.mjs";

export async function build() {
  await buildWasm();
  const fresh = `${dist}.${process.pid}.tmp`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh);
  try {
    const [packages] = await Promise.all([bundle(fresh), emitTypes(path.join(fresh, "types"))]);
    writeFileSync(path.join(fresh, "THIRD-PARTY-LICENSES.txt"), thirdPartyLicenses(packages));
    replace(fresh);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Of two builds at once the second may find the first one's: it is just as new. */
function replace(fresh) {
  const old = `${dist}.${process.pid}.old`;
  try {
    renameSync(dist, old);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  try {
    renameSync(fresh, dist);
  } catch (error) {
    if (error.code !== "ENOTEMPTY") throw error;
  }
  rmSync(old, { recursive: true, force: true });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const started = performance.now();
  await build();
  console.log(`built ${path.relative(root, dist)} in ${Math.round(performance.now() - started)} ms`);
}
