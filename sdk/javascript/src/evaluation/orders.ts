/** Where units stand: as we put them in order, or as other products do, so that what was made there keeps its assignments. */

import { Bucketing, divideUp, WHOLE } from "./bucketing.js";
import { sha1 } from "./sha1.js";

/** Puts units in order. */
export interface Order {
  /** In how many places it puts them. */
  readonly places: number;
  /** How many thousandths of a percent one of its places has at least; a part of all ends where a place does. */
  readonly step: number;
  /** Whether it is ours. */
  readonly isNative: boolean;
  /** Where those stand who are not known, if they stand anywhere. */
  readonly ofNobody: number | undefined;
  /** Whether a rule is not for whom it does not know. */
  readonly leavesNobody: boolean;
  /** Says where a unit stands, from 0. */
  of(unit: string): number;
}

/** What makes an order of a key, a seed and a number of places. */
type Maker = (key: string, seed: number, places: number) => Order["of"];

interface Dialect {
  /** In how many places it puts units, if that is always the same. */
  readonly places?: number;
  readonly ofNobody?: number;
  readonly leavesNobody?: boolean;
  readonly make: Maker;
}

/** What Unleash begins hashes for variants with; those of roll-outs begin with 0. */
const UNLEASH_VARIANTS = 86_028_157;
const UNLEASH_PLACES = 100;
const NATIVE_PLACES = 2 ** 32;
/** The greatest number of fifteen hexadecimal digits. */
const FIFTEEN_DIGITS = (1n << 60n) - 1n;
const encoder = new TextEncoder();

const DIALECTS: ReadonlyMap<string, Dialect> = new Map<string, Dialect>([
  ["native", { make: native }],
  ["unleash", { make: unleash }],
  ["growthbook_v1", { places: 1000, leavesNobody: true, make: growthbookV1 }],
  ["growthbook_v2", { places: 10_000, leavesNobody: true, make: growthbookV2 }],
  ["launchdarkly", { places: 100_000, ofNobody: 0, make: launchdarkly }],
]);

/** Whether a dialect is known here. */
export function isDialect(name: string): boolean {
  return DIALECTS.has(name);
}

/** Says in how many places a dialect puts units, if that is always the same. */
export function placesOf(dialect: string): number | undefined {
  return DIALECTS.get(dialect)?.places;
}

/** Makes the order of a gate. */
export function orderOfGate(dialect: string, key: string): Order {
  return orderOf(dialect, key, 0, placesOf(dialect) ?? UNLEASH_PLACES);
}

/** Makes the order of parts that have so much weight together. */
export function orderOfParts(dialect: string, key: string, weight: number): Order {
  return orderOf(dialect, key, UNLEASH_VARIANTS, Math.max(placesOf(dialect) ?? weight, 1));
}

function orderOf(name: string, key: string, seed: number, count: number): Order {
  const { make, ofNobody, leavesNobody = false } = DIALECTS.get(name) ?? { make: native };
  const isNative = make === native;
  const places = isNative ? NATIVE_PLACES : count;
  const step = isNative ? 1 : Math.floor(WHOLE / places);
  return { places, step, isNative, ofNobody, leavesNobody, of: make(key, seed, places) };
}

/** Says the first place that is not below a share of all. */
export function firstPlace(thousandths: number, { places }: Order): number {
  return Number(divideUp(BigInt(thousandths) * BigInt(places), BigInt(WHOLE)));
}

function native(key: string): Order["of"] {
  const bucketing = new Bucketing(key);
  return (unit) => bucketing.of(unit);
}

function unleash(key: string, seed: number, places: number): Order["of"] {
  const bucketing = new Bucketing(`${key}:`, seed);
  return (unit) => bucketing.of(unit) % places;
}

function growthbookV1(key: string, _: number, places: number): Order["of"] {
  return (unit) => fnv32(key, fnv32(unit)) % places;
}

function growthbookV2(key: string, _: number, places: number): Order["of"] {
  const hash = fnv32(key);
  return (unit) => fnv32(String(fnv32(unit, hash))) % places;
}

function launchdarkly(key: string, _: number, places: number): Order["of"] {
  return (unit) => {
    const [first = 0, second = 0] = sha1(encoder.encode(`${key}.${unit}`));
    // More than the integers that a number can hold.
    const digits = (BigInt(first) << 28n) | BigInt(second >>> 4);
    return Math.min(Number((digits * BigInt(places)) / FIFTEEN_DIGITS), places - 1);
  };
}

/** Hashes UTF-16 units with FNV-1a, 32 bits (Fowler, Noll, Vo), as GrowthBook does; goes on from a hash. */
function fnv32(text: string, hash = 0x811c9dc5): number {
  let state = hash;
  for (let at = 0; at < text.length; at++) {
    state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  }
  return state >>> 0;
}
