/** Versions as Semantic Versioning 2.0 orders them (section 11). */

import { trim } from "./texts.js";

/** A version; what is behind a `+` does not count. Numbers stay texts: they may be larger than JavaScript's. */
export interface Version {
  readonly numbers: readonly string[];
  /** The parts before the release; none of the release itself. */
  readonly before: readonly string[];
}

const SHAPE =
  /^[vV]?([0-9]+)(?:\.([0-9]+)(?:\.([0-9]+))?)?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;
const WHOLE = /^(?:0|[1-9][0-9]*)$/;
const ZERO_IN_FRONT = /^0[0-9]+$/;
const NUMBER_MAX = String(2n ** 64n - 1n);

/** Reads `1.2.3`, `1.2.3-rc.1`, `1.2.3+build`, and `1.2` if it may be short; a `v` in front does no harm. */
export function version(text: string, mayBeShort = false): Version | undefined {
  const shape = SHAPE.exec(trim(text));
  if (!shape || (shape[3] === undefined && !mayBeShort)) {
    return undefined;
  }
  const numbers = shape.slice(1, 4).map((number) => number ?? "0");
  const before = shape[4]?.split(".") ?? [];
  if (!numbers.every(isWhole) || before.some((part) => ZERO_IN_FRONT.test(part))) {
    return undefined;
  }
  return { numbers, before };
}

/** Says which one comes first: less than 0, 0, or more than 0. */
export function compareVersions(one: Version, other: Version): number {
  for (let place = 0; place < 3; place++) {
    const order = compareWholes(one.numbers[place] ?? "0", other.numbers[place] ?? "0");
    if (order !== 0) {
      return order;
    }
  }
  if (one.before.length === 0 || other.before.length === 0) {
    return Number(one.before.length === 0) - Number(other.before.length === 0);
  }
  return compareReleases(one.before, other.before);
}

function compareReleases(one: readonly string[], other: readonly string[]): number {
  for (const [place, ours] of one.entries()) {
    const theirs = other[place];
    if (theirs === undefined) {
      return 1;
    }
    const order = compareParts(ours, theirs);
    if (order !== 0) {
      return order;
    }
  }
  return one.length - other.length;
}

function compareParts(one: string, other: string): number {
  const [ours, theirs] = [isWhole(one), isWhole(other)];
  if (ours && theirs) {
    return compareWholes(one, other);
  }
  // Numbers come before texts.
  return ours === theirs ? compareTexts(one, other) : Number(theirs) - Number(ours);
}

function isWhole(text: string): boolean {
  return WHOLE.test(text) && compareWholes(text, NUMBER_MAX) <= 0;
}

function compareWholes(one: string, other: string): number {
  return one.length - other.length || compareTexts(one, other);
}

function compareTexts(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
