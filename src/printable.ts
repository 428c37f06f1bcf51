/**
 * What a terminal takes for an order instead of showing it (C0 but tab and newline, DEL, C1), and what changes the order in which text is
 * shown (Unicode's bidirectional controls, line and paragraph separators): with these, the name of a file or an answer of a storage could
 * rewrite a screen, or look like another name.
 */
const NOT_SHOWN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to be replaced
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text that can be written to a terminal or a log, whoever it comes from. Inside JSON the result means the same as before. */
export function printable(text: string): string {
  return text.replace(
    NOT_SHOWN,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
