// What is known against the packages that are shipped, installed with walrust or in its bundle: `node build/audit.mjs`. Fails only for
// what can be mended here, by a version that exists; the rest, and what only development uses, is told.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { bundle } from "./bundle.mjs";
import { root } from "./paths.mjs";

/** Folders of packages, relative to the root, as package-lock.json and npm's reports name them. */
async function shippedFolders() {
  const { packages } = JSON.parse(readFileSync(path.join(root, "package-lock.json"), "utf8"));
  const installed = Object.keys(packages).filter((folder) => folder !== "" && packages[folder].dev !== true);
  const outdir = mkdtempSync(path.join(tmpdir(), "walrust-audit-"));
  try {
    const bundled = [...(await bundle(outdir))].map((folder) => path.relative(root, folder));
    return { installed, bundled };
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

/** npm's report; undefined where the registry makes none, which is said. */
function auditReport() {
  const { stdout, stderr, error } = spawnSync("npm", ["audit", "--json"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) throw error;
  let report;
  try {
    report = JSON.parse(stdout);
  } catch {
    report = { message: stderr.trim() };
  }
  if (report.vulnerabilities) return report.vulnerabilities;
  console.log(`no audit: the registry makes none (${report.message ?? "no reason given"})`);
  return undefined;
}

function describe({ name, severity, range, via, fixAvailable }) {
  const titles = via.map((one) => (typeof one === "string" ? `by ${one}` : `${one.title} (${one.url})`));
  const fix =
    typeof fixAvailable === "object" ? `${fixAvailable.name} ${fixAvailable.version}` : "npm update";
  return `${severity}: ${name} ${range}: ${titles.join("; ")}${fixAvailable ? `; mended by ${fix}` : "; no fix yet"}`;
}

function tell(head, vulnerabilities) {
  if (vulnerabilities.length === 0) return;
  console.log(head);
  for (const one of vulnerabilities) console.log(`  ${describe(one)}`);
}

const { installed, bundled } = await shippedFolders();
const shipped = new Set([...installed, ...bundled]);
console.log(`shipped: ${installed.length} packages that are installed, ${bundled.length} in the bundle`);
const found = Object.values(auditReport() ?? {});
const concerning = found.filter(({ nodes }) => nodes.some((folder) => shipped.has(folder)));
const ours = concerning.filter(({ fixAvailable }) => fixAvailable !== false);
tell("shipped, and a fix exists: take it", ours);
tell(
  "shipped, and nobody has a fix yet",
  concerning.filter((one) => !ours.includes(one)),
);
tell(
  "only used in development",
  found.filter((one) => !concerning.includes(one)),
);
process.exitCode = ours.length > 0 ? 1 : 0;
