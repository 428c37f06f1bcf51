import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** Most licences of bundled code ask for their text to go with it. A package without one stops the build. */
export function thirdPartyLicenses(packageFolders) {
  const notices = [...packageFolders].map(notice).sort((a, b) => (a.title < b.title ? -1 : 1));
  return [
    "walrust's program contains code of these packages, under their own licences.\n",
    ...notices.map(({ title, text }) => `${"=".repeat(80)}\n${title}\n\n${text.trim()}\n`),
  ].join("\n");
}

function notice(folder) {
  const { name, version, license } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const files = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
    .sort();
  const texts = files.map((file) => readFileSync(path.join(folder, file), "utf8"));
  if (typeof license !== "string") throw new Error(`${name} does not say its licence`);
  const text =
    texts.length > 0 ? texts.join("\n\n") : `Licence: ${license} (the package has no file with its text)`;
  return { title: `${name} ${version} (${license})`, text };
}
