/** Sets of characters, as regular expressions name them. */

import { isBlank } from "../texts.js";

const KNOWN_MAX = 1024;
/** Letters, marks, digits and connectors (UTS 18, Annex C). */
const WORD = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const DIGIT = /^\p{Nd}$/u;
const CATEGORIES = new Set(
  "L M N P S Z C Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split(" "),
);

/** Forms to which neither the small nor the capital letter leads (CaseFolding.txt, status C and S). */
const MORE_FORMS: ReadonlyMap<string, string> = new Map([
  ["k", "\u212a"],
  ["s", "ſ"],
  ["ß", "ẞ"],
  ["å", "\u212b"],
  ["μ", "µ"],
  ["σ", "ς"],
  ["ω", "\u2126"],
  ["θ", "ϑϴ"],
]);

type Test = (letter: string) => boolean;

/** Whether a character belongs to words. */
export const isWord: Test = (letter) => WORD.test(letter);

/** Sets that have a letter of their own, as `\d`. */
export const PERL: ReadonlyMap<string, Test> = new Map([
  ["d", (letter: string) => DIGIT.test(letter)],
  ["s", isBlank],
  ["w", isWord],
]);

/** Classes of ASCII that have a name, by the ends of their ranges. */
export const POSIX: ReadonlyMap<string, string> = new Map([
  ["alnum", "09AZaz"],
  ["alpha", "AZaz"],
  ["ascii", "\x00\x7f"],
  ["blank", "\t\t  "],
  ["cntrl", "\x00\x1f\x7f\x7f"],
  ["digit", "09"],
  ["graph", "!~"],
  ["lower", "az"],
  ["print", " ~"],
  ["punct", "!/:@[`{~"],
  ["space", "\t\r  "],
  ["upper", "AZ"],
  ["word", "09AZaz__"],
  ["xdigit", "09AFaf"],
]);

/** Makes the test for one of Unicode's general categories, as `L` or `Lu`. */
export function category(name: string): Test | undefined {
  if (!CATEGORIES.has(name)) {
    return undefined;
  }
  const shape = new RegExp(`^\\p{${name}}$`, "u");
  return (letter) => shape.test(letter);
}

/** Says all forms of a letter whose capitals make no difference. */
function variants(letter: string): Set<string> {
  const found = new Set([letter]);
  // What is added on the way is gone through as well.
  for (const one of found) {
    for (const other of [one.toLowerCase(), one.toUpperCase(), ...(MORE_FORMS.get(one) ?? "")]) {
      if (other.length === String.fromCodePoint(codeOf(other)).length) {
        found.add(other);
      }
    }
  }
  return found;
}

function codeOf(letter: string): number {
  return letter.codePointAt(0) ?? 0;
}

/** A set of characters: ranges and tests, or all others. */
export class Letters {
  readonly #ranges: (readonly [first: number, last: number])[] = [];
  readonly #tests: Test[] = [];
  readonly #known = new Map<string, boolean>();

  constructor(
    readonly ignoreCase: boolean,
    readonly negated = false,
  ) {}

  /** Takes a range in, the last one included. */
  add(first: string, last = first): this {
    this.#ranges.push([codeOf(first), codeOf(last)]);
    if (this.ignoreCase && first === last) {
      this.#ranges.push(...Array.from(variants(first), (form) => [codeOf(form), codeOf(form)] as const));
    }
    return this;
  }

  /** Takes all in for which a test holds. */
  addTest(test: Test): this {
    this.#tests.push(test);
    return this;
  }

  /** Whether a character is in it. */
  has(letter: string): boolean {
    let found = this.#known.get(letter);
    if (found === undefined) {
      const forms = this.ignoreCase ? [...variants(letter)] : [letter];
      found = forms.some((form) => this.#names(form)) !== this.negated;
      if (this.#known.size < KNOWN_MAX) {
        this.#known.set(letter, found);
      }
    }
    return found;
  }

  #names(letter: string): boolean {
    const code = codeOf(letter);
    return (
      this.#ranges.some(([first, last]) => first <= code && code <= last) || this.#tests.some((test) => test(letter))
    );
  }
}

/** Takes the ranges of a named class in. */
export function fill(letters: Letters, ends: string): Letters {
  for (let place = 0; place < ends.length; place += 2) {
    letters.add(ends.charAt(place), ends.charAt(place + 1));
  }
  return letters;
}
