// Preloaded by tests (`node --import`): writes down each file and folder that the program makes, and with which permissions it asks for it,
// to the file that CREATIONS names. One JSON object a line.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const log = fs.openSync(process.env.CREATIONS, "a", 0o600);
const writeSync = fs.writeSync;
const record = (call, path, mode) =>
  writeSync(log, `${JSON.stringify({ call, path: String(path), mode })}\n`);

const { O_CREAT } = fs.constants;
const creates = (flags = "r") => (typeof flags === "number" ? (flags & O_CREAT) !== 0 : /^[wa]/.test(flags));
const modeOf = (options, ordinary) => (typeof options === "object" ? options?.mode : options) ?? ordinary;

function patchOpen(owner, name) {
  const real = owner[name];
  owner[name] = (path, flags, ...rest) => {
    if (creates(flags)) record(name, path, typeof rest[0] === "number" ? rest[0] : 0o666);
    return real.call(owner, path, flags, ...rest);
  };
}

function patchFolder(owner, name) {
  const real = owner[name];
  owner[name] = (path, options, ...rest) => {
    record(name, path, typeof options === "function" ? 0o777 : modeOf(options, 0o777));
    return real.call(owner, path, options, ...rest);
  };
}

function patchWrite(owner, name) {
  const real = owner[name];
  owner[name] = (path, data, options, ...rest) => {
    const isOpen = typeof path === "number" || typeof path === "object";
    if (!isOpen) record(name, path, typeof options === "string" ? 0o666 : modeOf(options, 0o666));
    return real.call(owner, path, data, options, ...rest);
  };
}

for (const owner of [fs, fs.promises]) {
  for (const name of ["open", "openSync"]) if (owner[name]) patchOpen(owner, name);
  for (const name of ["mkdir", "mkdirSync"]) if (owner[name]) patchFolder(owner, name);
  for (const name of ["writeFile", "writeFileSync", "appendFile", "appendFileSync"])
    if (owner[name]) patchWrite(owner, name);
  for (const name of ["copyFile", "copyFileSync", "cp", "cpSync"]) {
    if (!owner[name]) continue;
    owner[name] = (_from, to) => {
      record(name, to, 0o666);
      throw new Error("copies get the permissions of what they are copied from: not expected here");
    };
  }
}
syncBuiltinESMExports();
