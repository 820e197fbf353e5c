/**
 * flagd's operators.
 *
 * Source: https://flagd.dev/reference/custom-operations/.
 */

import { murmur32, Shares } from "../bucketing.js";
import { compareVersions, type Version, version } from "../semver.js";
import { cbor } from "./cbor.js";
import { evaluate, type Node, type Operate, type Scope } from "./nodes.js";
import { type Data, fieldOf, isFields, isList } from "./values.js";

/** Says what an operator gives of its arguments, and of all that is known. */
type Gives = (all: readonly Data[], root: Data) => Data;
/** A part of all units, and how large it is. */
type Weighed = readonly [variant: Data, weight: number];
/** Which part a hash falls on. */
type Falls = (hash: number, parts: readonly Weighed[]) => number;

const WEIGHTS_MAX = 2 ** 31 - 1;
const encoder = new TextEncoder();

/** Operators by their names. */
export const FLAGD: ReadonlyMap<string, Operate> = new Map<string, Operate>([
  ["starts_with", given(affix((text, part) => text.startsWith(part)))],
  ["ends_with", given(affix((text, part) => text.endsWith(part)))],
  ["sem_ver", given(compareAsVersions)],
  ["fractional", given((all, root) => fractional(all, root, placeIn))],
  ["fractional_v1", given((all, root) => fractional(all, root, placeByDistance))],
  ["fractional_v3", given(fractionalOfAny)],
]);

function given(gives: Gives): Operate {
  return (nodes: readonly Node[], scope: Scope) => {
    const all = nodes.map((node) => evaluate(node, scope));
    return gives(all, scope.root);
  };
}

/** Makes what says nothing unless both are texts. */
function affix(has: (text: string, part: string) => boolean): Gives {
  return ([text, part, ...more]) =>
    typeof text === "string" && typeof part === "string" && more.length === 0 ? has(text, part) : null;
}

/** Says nothing unless both are versions and the comparison is one. */
function compareAsVersions([first, how, second, ...more]: readonly Data[]): Data {
  const [one, other] = [versionOf(first), versionOf(second)];
  if (!one || !other || more.length > 0) {
    return null;
  }
  const order = compareVersions(one, other);
  switch (how) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    case "^":
      return hasSame(1, one, other);
    case "~":
      return hasSame(2, one, other);
    default:
      return null;
  }
}

function hasSame(numbers: number, one: Version, other: Version): boolean {
  return one.numbers.slice(0, numbers).every((number, place) => number === other.numbers[place]);
}

/** Reads a version, of which the last numbers may be left out; also one that is written as a number. */
function versionOf(value: Data | undefined): Version | undefined {
  if (typeof value !== "string" && typeof value !== "number") {
    return undefined;
  }
  const text = String(value);
  const found = text.search(/[-+]/);
  const end = found < 0 ? text.length : found;
  const points = text.slice(0, end).split(".").length - 1;
  return version(text.slice(0, end) + ".0".repeat(Math.max(2 - points, 0)) + text.slice(end));
}

/** Says which part somebody gets, by the hash of a text: the first argument, or the flag's key and the unit. */
function fractional(all: readonly Data[], root: Data, falls: Falls): Data {
  const [first, ...rest] = all;
  if (typeof first === "string") {
    return partOf(murmur32(encoder.encode(first)), rest, falls);
  }
  const implicit = implicitOf(root);
  if (first === undefined || !implicit) {
    return null;
  }
  return partOf(murmur32(encoder.encode(implicit.join(""))), first === null ? rest : all, falls);
}

/** Says which part somebody gets, by the hash of any value in CBOR. */
function fractionalOfAny(all: readonly Data[], root: Data): Data {
  const [first, ...rest] = all;
  if (first === undefined || first === null) {
    return null;
  }
  if (!isList(first)) {
    return partOf(murmur32(cbor(first)), rest, placeIn);
  }
  const implicit = implicitOf(root);
  return implicit ? partOf(murmur32(cbor(implicit)), all, placeIn) : null;
}

/** Says the flag's key and the unit, if it is known. */
function implicitOf(root: Data): readonly [flag: string, unit: string] | undefined {
  const known = isFields(root) ? root : {};
  const [unit, about] = [fieldOf(known, "targetingKey"), fieldOf(known, "$flagd") ?? null];
  if (typeof unit !== "string" || unit === "") {
    return undefined;
  }
  const flag = isFields(about) ? fieldOf(about, "flagKey") : undefined;
  return [typeof flag === "string" ? flag : "", unit];
}

/** Says the part that a hash falls on, if all parts have a weight. */
function partOf(hash: number, parts: readonly Data[], falls: Falls): Data {
  const weighed = parts.map(weighedOf);
  const all = weighed.filter((part) => part !== undefined);
  const total = all.reduce((sum, [, weight]) => sum + weight, 0);
  if (all.length < weighed.length || total === 0 || total > WEIGHTS_MAX) {
    return null;
  }
  return all[falls(hash, all)]?.[0] ?? null;
}

function weighedOf(part: Data): Weighed | undefined {
  if (!isList(part)) {
    return undefined;
  }
  const [variant, weight = 1] = part;
  if (variant === undefined || isList(variant) || isFields(variant) || typeof weight !== "number") {
    return undefined;
  }
  return Number.isInteger(weight) && weight <= WEIGHTS_MAX ? [variant, Math.max(weight, 0)] : undefined;
}

/** Says where a hash falls by whole numbers, as it does with us. */
function placeIn(hash: number, parts: readonly Weighed[]): number {
  return new Shares(parts.map(([, weight]) => weight)).place(hash);
}

/** Says where a hash falls by how far it is from 0, of what it can be at most. One is beyond all parts: the last has it. */
function placeByDistance(hash: number, parts: readonly Weighed[]): number {
  const total = parts.reduce((sum, [, weight]) => sum + weight, 0);
  const distance = (Math.abs(hash | 0) / WEIGHTS_MAX) * 100;
  let reached = 0;
  const place = parts.findIndex(([, weight]) => {
    reached += weight;
    return distance < (reached * 100) / total;
  });
  return place < 0 ? parts.length - 1 : place;
}
