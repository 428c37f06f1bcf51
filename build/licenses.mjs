import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** Licences of bundled code ask for their text, and who has the copyright, to go with it. A package without that stops the build. */
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
  const text = texts.length > 0 ? texts.join("\n\n") : (readmeLicense(folder) ?? sharedText(license));
  if (text === undefined) throw new Error(`${name} has no text of its licence, ${license}`);
  return { title: `${name} ${version} (${license})`, text };
}

/** Some packages have it at the end of their README only. */
function readmeLicense(folder) {
  const file = readdirSync(folder).find((name) => /^readme\.md$/i.test(name));
  const text = file === undefined ? "" : readFileSync(path.join(folder, file), "utf8");
  const section = /^#+ licen[cs]e\b.*$/im.exec(text);
  const found = section === null ? "" : text.slice(section.index);
  return /^\W*copyright/im.test(found) ? found : undefined;
}

/** The Apache License is one text for everybody, without names in it. */
function sharedText(license) {
  return license === "Apache-2.0"
    ? "Licensed under the Apache License, Version 2.0: see LICENSE."
    : undefined;
}
