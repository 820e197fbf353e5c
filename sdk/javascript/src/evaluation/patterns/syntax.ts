/** Reads regular expressions: the part of the syntax of Rust's crate `regex` that every SDK understands. */

import { category, fill, Letters, PERL, POSIX } from "./letters.js";

/** Groups within groups. */
const DEPTH_MAX = 50;
/** Letters of a pattern. */
const LETTERS_MAX = 10_000;
const TIMES_MAX = 100_000;

/** A text is no regular expression, or one that cannot be matched here; says why. */
export class PatternError extends Error {}

/** A place between two characters. */
export type Look =
  | "start"
  | "end"
  | "line_start"
  | "line_end"
  | "word"
  | "no_word"
  | "word_start"
  | "word_end"
  | "word_start_half"
  | "word_end_half";

/** What a pattern says. */
export type Node =
  | { readonly is: "letter"; readonly letters: Letters }
  | { readonly is: "look"; readonly look: Look }
  | { readonly is: "sequence" | "choice"; readonly parts: readonly Node[] }
  | { readonly is: "repeat"; readonly part: Node; readonly least: number; readonly most: number };

/** What `(?ims)` switches on. */
interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
}

const COUNT = /\{ *([0-9]+) *(?:(,)(?: *([0-9]+) *)?)?\}/y;
const NAME = /\?P?<([A-Za-z_][A-Za-z0-9_]*)>/y;
// What is between colons and no name of a class is a class of these letters.
const POSIX_CLASS = new RegExp(`\\[:(\\^?)(${[...POSIX.keys()].join("|")}):\\]`, "y");
const BOUNDARY = /b\{(start|end|start-half|end-half)\}/y;
const HEX = /(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[xuU]\{([0-9A-Fa-f]{1,8})\})/y;
const CATEGORY = /([pP])(?:([A-Z])|\{([A-Za-z]+)\})/y;
const ESCAPABLE = /^[^0-9A-Za-z<>\u0080-\u{10ffff}]$/u;
const SPECIAL: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["f", "\f"],
  ["t", "\t"],
  ["n", "\n"],
  ["r", "\r"],
  ["v", "\v"],
]);
const LOOKS: ReadonlyMap<string, Look> = new Map<string, Look>([
  ["A", "start"],
  ["z", "end"],
  ["b", "word"],
  ["B", "no_word"],
  ["<", "word_start"],
  [">", "word_end"],
]);

/** Reads a pattern; throws a `PatternError` that says what is wrong, or not understood here. */
export function parse(pattern: string, ignoreCase: boolean): Node {
  if (pattern.length > LETTERS_MAX) {
    throw new PatternError(`it has more than ${LETTERS_MAX} letters`);
  }
  const reader = new Reader(pattern, { i: ignoreCase, m: false, s: false });
  const node = reader.choice(0);
  if (reader.here() !== "") {
    throw new PatternError("a `)` closes nothing");
  }
  return node;
}

class Reader {
  #at = 0;
  #flags: Flags;
  readonly #names = new Set<string>();

  constructor(
    readonly pattern: string,
    flags: Flags,
  ) {
    this.#flags = flags;
  }

  /** Says the character here, or none at the end. */
  here(): string {
    return this.#letterAt(this.#at);
  }

  #letterAt(place: number): string {
    const code = this.pattern.codePointAt(place);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  #next(): string {
    return this.#letterAt(this.#at + this.here().length);
  }

  /** Goes on by one character and says it. */
  #pass(): string {
    const sign = this.here();
    this.#at += sign.length;
    return sign;
  }

  /** Goes on if this text is here. */
  #skip(text: string): boolean {
    const isHere = this.pattern.startsWith(text, this.#at);
    this.#at += isHere ? text.length : 0;
    return isHere;
  }

  /** Goes on if something of this shape is here. */
  #take(shape: RegExp): RegExpExecArray | null {
    shape.lastIndex = this.#at;
    const found = shape.exec(this.pattern);
    this.#at += found?.[0].length ?? 0;
    return found;
  }

  choice(depth: number): Node {
    if (depth > DEPTH_MAX) {
      throw new PatternError(`groups are nested more than ${DEPTH_MAX} deep`);
    }
    const first = this.#sequence(depth);
    const parts = [first];
    while (this.#skip("|")) {
      parts.push(this.#sequence(depth));
    }
    return parts.length === 1 ? first : { is: "choice", parts };
  }

  #sequence(depth: number): Node {
    const parts: Node[] = [];
    while (!["", "|", ")"].includes(this.here())) {
      const part = this.#one(depth);
      // What only switches flags is nothing that could be repeated.
      if (part) {
        parts.push(this.#repeated(part));
      }
    }
    return { is: "sequence", parts };
  }

  #repeated(part: Node): Node {
    for (;;) {
      if (this.here() === "{") {
        part = this.#counted(part);
      } else if (this.#skip("*")) {
        part = { is: "repeat", part, least: 0, most: Number.POSITIVE_INFINITY };
      } else if (this.#skip("+")) {
        part = { is: "repeat", part, least: 1, most: Number.POSITIVE_INFINITY };
      } else if (this.#skip("?")) {
        part = { is: "repeat", part, least: 0, most: 1 };
      } else {
        return part;
      }
      // Whether as much or as little as possible is taken does not change whether there is a match.
      this.#skip("?");
    }
  }

  #counted(part: Node): Node {
    const found = this.#take(COUNT);
    if (!found) {
      throw new PatternError("a `{` is followed by no count");
    }
    const least = Number(found[1]);
    const most = found[2] ? Number(found[3] ?? Number.POSITIVE_INFINITY) : least;
    if (least > TIMES_MAX || (Number.isFinite(most) && most > TIMES_MAX) || most < least) {
      throw new PatternError(`\`${found[0]}\` is no count of repetitions`);
    }
    return { is: "repeat", part, least, most };
  }

  #one(depth: number): Node | undefined {
    if (this.#skip("(")) {
      return this.#group(depth);
    }
    if (this.#skip("[")) {
      return { is: "letter", letters: this.#bracket(0) };
    }
    if (this.#skip("\\")) {
      return this.#escaped();
    }
    const sign = this.#pass();
    switch (sign) {
      case "*":
      case "+":
      case "?":
      case "{":
        throw new PatternError(`\`${sign}\` repeats nothing`);
      case ".":
        return { is: "letter", letters: this.#dot() };
      case "^":
        return { is: "look", look: this.#flags.m ? "line_start" : "start" };
      case "$":
        return { is: "look", look: this.#flags.m ? "line_end" : "end" };
      default:
        return this.#literal(sign);
    }
  }

  #letters(negated = false): Letters {
    return new Letters(this.#flags.i, negated);
  }

  #literal(sign: string): Node {
    return { is: "letter", letters: this.#letters().add(sign) };
  }

  #dot(): Letters {
    const letters = new Letters(false, true);
    return this.#flags.s ? letters : letters.add("\n");
  }

  #group(depth: number): Node | undefined {
    if (["?=", "?!", "?<=", "?<!"].some((look) => this.#skip(look))) {
      throw new PatternError("look-around cannot be matched in linear time");
    }
    const outer = this.#flags;
    if (this.here() === "?") {
      const name = this.#take(NAME)?.[1];
      if (name !== undefined && this.#names.has(name)) {
        throw new PatternError(`two groups are called \`${name}\``);
      }
      if (name !== undefined) {
        this.#names.add(name);
      } else if (!this.#switches()) {
        return undefined;
      }
    }
    const inside = this.choice(depth + 1);
    if (!this.#skip(")")) {
      throw new PatternError("a `(` is not closed");
    }
    this.#flags = outer;
    return inside;
  }

  /** Reads `?ims-ims` and says whether a group follows; without one they hold until the end of this one. */
  #switches(): boolean {
    this.#skip("?");
    let seen = "";
    for (;;) {
      const sign = this.#pass();
      if (sign === ":" || sign === ")") {
        if (seen.endsWith("-") || (sign === ")" && seen === "")) {
          throw new PatternError("flags are not complete");
        }
        return sign === ":";
      }
      const value = !seen.includes("-");
      if (sign === "" || seen.includes(sign) || !"imsUu-".includes(sign) || (sign === "u" && !value)) {
        throw new PatternError(`\`${sign}\` is no flag that is known here`);
      }
      if ("ims".includes(sign)) {
        this.#flags = { ...this.#flags, [sign]: value };
      }
      seen += sign;
    }
  }

  #escaped(): Node {
    const boundary = this.#take(BOUNDARY)?.[1];
    if (boundary !== undefined) {
      return { is: "look", look: `word_${boundary.replace("-", "_")}` as Look };
    }
    const look = LOOKS.get(this.here());
    if (look) {
      this.#pass();
      return { is: "look", look };
    }
    const found = this.#escape();
    return typeof found === "string" ? this.#literal(found) : { is: "letter", letters: found };
  }

  /** Reads what stands behind a backslash: one character, or a set. */
  #escape(): string | Letters {
    const code = this.#take(HEX);
    if (code) {
      return character(code.slice(1).find((digits) => digits !== undefined) ?? "");
    }
    const named = this.#take(CATEGORY);
    if (named) {
      return this.#category(named[2] ?? named[3] ?? "", named[1] === "P");
    }
    const sign = this.#pass();
    const perl = PERL.get(sign.toLowerCase());
    if (perl) {
      return this.#letters(sign !== sign.toLowerCase()).addTest(perl);
    }
    const special = SPECIAL.get(sign) ?? (ESCAPABLE.test(sign) ? sign : undefined);
    if (special !== undefined) {
      return special;
    }
    if (/^[0-9]$/.test(sign)) {
      throw new PatternError("references cannot be matched in linear time");
    }
    throw new PatternError(sign === "" ? "nothing follows the last backslash" : `\`\\${sign}\` is not known here`);
  }

  #category(name: string, negated: boolean): Letters {
    const test = category(name);
    if (!test) {
      throw new PatternError(`the class \`${name}\` is not known here; general categories are, as \`L\` and \`Lu\``);
    }
    return this.#letters(negated).addTest(test);
  }

  /** Reads what follows the `[` of `[a-z]`. */
  #bracket(depth: number): Letters {
    if (depth > DEPTH_MAX) {
      throw new PatternError(`classes are nested more than ${DEPTH_MAX} deep`);
    }
    const letters = this.#letters(this.#skip("^"));
    let isFirst = true;
    for (; this.#skip("-"); isFirst = false) {
      letters.add("-");
    }
    if (isFirst && this.#skip("]")) {
      letters.add("]");
    }
    while (!this.#skip("]")) {
      this.#bracketPart(letters, depth);
    }
    return letters;
  }

  #bracketPart(letters: Letters, depth: number): void {
    const sign = this.here();
    if (sign === "") {
      throw new PatternError("a `[` is not closed");
    }
    if ("&-~".includes(sign) && this.#next() === sign) {
      throw new PatternError(`\`${sign}${sign}\` between classes is not known here`);
    }
    const posix = this.#take(POSIX_CLASS);
    if (posix) {
      const named = fill(this.#letters(posix[1] === "^"), POSIX.get(posix[2] ?? "") ?? "");
      letters.addTest((letter) => named.has(letter));
    } else if (this.#skip("[")) {
      const inner = this.#bracket(depth + 1);
      letters.addTest((letter) => inner.has(letter));
    } else {
      this.#range(letters);
    }
  }

  /** Reads `a`, `a-z` or `\d` within a class. */
  #range(letters: Letters): void {
    const first = this.#bracketItem();
    if (this.here() !== "-" || this.#next() === "]" || this.#next() === "-") {
      if (typeof first === "string") {
        letters.add(first);
      } else {
        letters.addTest((letter) => first.has(letter));
      }
      return;
    }
    this.#skip("-");
    const last = this.here() === "" ? "" : this.#bracketItem();
    const areLetters = typeof first === "string" && typeof last === "string" && last !== "";
    if (!areLetters || (first.codePointAt(0) ?? 0) > (last.codePointAt(0) ?? 0)) {
      throw new PatternError("a range in a class ends before it begins");
    }
    letters.add(first, last);
  }

  #bracketItem(): string | Letters {
    return this.#skip("\\") ? this.#escape() : this.#pass();
  }
}

function character(digits: string): string {
  const code = Number.parseInt(digits, 16);
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    throw new PatternError(`U+${digits} is no character`);
  }
  return String.fromCodePoint(code);
}
