import { type AST, getStaticTOMLValue, ParseError, parseTOML } from "toml-eslint-parser";
import { WalrustError } from "../errors.ts";

export type KeyPath = readonly (string | number)[];

export interface TomlDocument {
  /** The path as the user would write it, for messages. */
  readonly file: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** The line (from 1) of a key, or of the nearest table around it. */
  lineOf(path: KeyPath): number;
}

/** TOML 1.0 with the line of every key. A duplicate key or bad syntax is CONFIG_INVALID with the line. */
export function parseToml(text: string, file: string): TomlDocument {
  const { value, lines } = readOrThrow(text, file);
  return {
    file,
    value,
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const line = lines.get(path.slice(0, length).join("\0"));
        if (line !== undefined) return line;
      }
      return 1;
    },
  };
}

interface Read {
  readonly value: Readonly<Record<string, unknown>>;
  readonly lines: ReadonlyMap<string, number>;
}

function readOrThrow(text: string, file: string): Read {
  try {
    const ast = parseTOML(text, { tomlVersion: "1.0" });
    const lines = new Map<string, number>();
    for (const node of ast.body[0].body) collectLines(node, [], lines);
    return { value: getStaticTOMLValue(ast), lines };
  } catch (error) {
    if (!(error instanceof ParseError)) throw unreadable(file, error);
    const reason = error.message.charAt(0).toLowerCase() + error.message.slice(1);
    throw new WalrustError("CONFIG_INVALID", `${file}:${error.lineNumber}: not valid TOML: ${reason}`, {
      cause: error,
      details: { file, line: error.lineNumber },
    });
  }
}

/** The parser fails otherwise than by an error of its own on what nobody writes: tables within tables, thousands deep. */
function unreadable(file: string, cause: unknown): WalrustError {
  return new WalrustError("CONFIG_INVALID", `${file} cannot be read as TOML`, { cause, details: { file } });
}

function collectLines(
  node: AST.TOMLTable | AST.TOMLKeyValue,
  base: KeyPath,
  lines: Map<string, number>,
): void {
  if (node.type === "TOMLTable") {
    remember(node.resolvedKey, node, lines);
    for (const child of node.body) collectLines(child, node.resolvedKey, lines);
    return;
  }
  const path = [...base, ...node.key.keys.map((key) => (key.type === "TOMLBare" ? key.name : key.value))];
  remember(path, node, lines);
  collectValueLines(node.value, path, lines);
}

function collectValueLines(value: AST.TOMLContentNode, path: KeyPath, lines: Map<string, number>): void {
  if (value.type === "TOMLInlineTable") for (const child of value.body) collectLines(child, path, lines);
  if (value.type !== "TOMLArray") return;
  for (const [index, element] of value.elements.entries()) {
    remember([...path, index], element, lines);
    collectValueLines(element, [...path, index], lines);
  }
}

/** A dotted key `a.b = 1` also stands for the table `a`; the first mention of a path wins. */
function remember(path: KeyPath, node: AST.TOMLNode, lines: Map<string, number>): void {
  for (let length = path.length; length > 0; length--) {
    const key = path.slice(0, length).join("\0");
    if (!lines.has(key)) lines.set(key, node.loc.start.line);
  }
}
