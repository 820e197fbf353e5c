/** Reading texts as the server reads them, so that both see the same number, the same letters and the same blanks. */

/** What an attribute is once it has been read: lists are of texts. */
export type Value = boolean | number | string | readonly string[];

/** Unicode's White_Space; what `trim` of JavaScript takes away is not the same. */
const BLANK = "\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const BLANKS_AT_ENDS = new RegExp(`^[${BLANK}]|[${BLANK}]$`);
const IS_BLANK = new RegExp(`^[${BLANK}]$`);
const NUMBER = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const NO_FINITE_NUMBER = /^([+-]?)(?:(inf|infinity)|nan)$/i;
/** Numbers that take more letters are no identifiers. */
const NUMBER_LETTERS_MAX = 32;

/** Whether a character is white space. */
export function isBlank(letter: string): boolean {
  return IS_BLANK.test(letter);
}

/** Takes blanks away at both ends. */
export function trim(text: string): string {
  if (!BLANKS_AT_ENDS.test(text)) {
    return text;
  }
  let first = 0;
  let last = text.length;
  while (first < last && isBlank(text.charAt(first))) {
    first++;
  }
  while (last > first && isBlank(text.charAt(last - 1))) {
    last--;
  }
  return text.slice(first, last);
}

/** Reads a value as a number, if it is one or its text is. */
export function number(value: Value): number | undefined {
  if (typeof value === "number") {
    return value;
  }
  if (typeof value !== "string") {
    return undefined;
  }
  const text = trim(value);
  const found = NUMBER.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(found) ? found : undefined;
}

/** Reads a text as a number, without blanks; also what is not finite. */
export function numberIn(text: string): number | undefined {
  if (NUMBER.test(text)) {
    return Number(text);
  }
  const [found, sign, infinite] = NO_FINITE_NUMBER.exec(text) ?? [];
  if (found === undefined) {
    return undefined;
  }
  return infinite === undefined ? Number.NaN : Number(`${sign}Infinity`);
}

/** Says the text of a value: numbers without exponent, booleans as `true` and `false`; a list has none. */
export function textOf(value: Value): string | undefined {
  if (typeof value === "string") {
    return value;
  }
  if (typeof value === "number") {
    const text = digits(value);
    return text.length <= NUMBER_LETTERS_MAX ? text : undefined;
  }
  return typeof value === "boolean" ? String(value) : undefined;
}

/** Writes a number with all of its digits: JavaScript writes large and little ones with an exponent. */
export function digits(value: number): string {
  const text = Object.is(value, -0) ? "-0" : String(value);
  const shape = /^(-?)([0-9])(?:\.([0-9]+))?e([+-][0-9]+)$/.exec(text);
  if (!shape) {
    return text;
  }
  const [, sign = "", first = "", rest = "", power = "0"] = shape;
  const exponent = Number(power);
  if (exponent < 0) {
    return `${sign}0.${"0".repeat(-exponent - 1)}${first}${rest}`;
  }
  return sign + first + rest.padEnd(exponent, "0");
}

/** Writes a text in small letters, each letter by itself: a sigma does not depend on its place. */
export function small(text: string): string {
  if (!text.includes("Σ")) {
    return text.toLowerCase();
  }
  return Array.from(text, (letter) => letter.toLowerCase()).join("");
}

/** Says which text comes first by its characters; JavaScript compares halves of them. */
export function compareTexts(one: string, other: string): number {
  const end = Math.min(one.length, other.length);
  for (let at = 0; at < end; at++) {
    const [ours, theirs] = [one.charCodeAt(at), other.charCodeAt(at)];
    if (ours !== theirs) {
      return behindOthers(ours) - behindOthers(theirs);
    }
  }
  return one.length - other.length;
}

/** Puts halves of characters behind all that is whole: they make those behind. */
function behindOthers(unit: number): number {
  return 0xd800 <= unit && unit < 0xe000 ? unit + 0x10000 : unit;
}
