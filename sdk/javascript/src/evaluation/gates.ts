/** Shares of all units: which unit somebody is, and where it stands among all. */

import { firstPlace, isDialect, type Order, orderOfGate } from "./orders.js";
import { CODE, type Part } from "./reading.js";
import type { Subject } from "./subject.js";
import { textOf } from "./texts.js";

/** How many parts of a percent weights may have. */
export const PARTS = 1000;
/** The fields of a gate. */
export const GATE = ["key", "by", "or_by", "dialect", "parts"];

/** The attributes that say which unit it is. */
export interface Units {
  /** The first, or in its place the first that is there and not empty. */
  readonly names: readonly string[];
  /** Whether an empty text is a unit. */
  readonly withEmpty: boolean;
}

/** Lets a share of all units pass. */
export interface Gate {
  readonly order: Order;
  readonly by: Units;
  /** First and last place of each part, the last one not in it. */
  readonly parts: readonly (readonly [first: number, last: number])[];
}

/** Compiles a share of all units. */
export function gateOf(gate: Part): Gate {
  const order = orderOfGate(dialectOf(gate), gate.text("key"));
  const parts = partsOf(gate, order);
  return { order, by: unitsOf(gate.text("by"), gate.texts("or_by"), order.isNative), parts };
}

/** Reads parts of all units: first and last place of each. */
export function partsOf(source: Part, order: Order): Gate["parts"] {
  const parts: [number, number][] = [];
  for (const [number, ends] of source.list("parts").entries()) {
    const [first, last] = Array.isArray(ends) && ends.length === 2 ? ends.map(thousandths) : [];
    // A part ends where a place ends.
    const isPart = first !== undefined && last !== undefined && first <= last;
    if (!isPart || first % order.step !== 0 || last % order.step !== 0) {
      const detail = `${JSON.stringify(ends)} is no part of 0 to 100 in steps of ${order.step / PARTS}.`;
      source.wrong(`/parts/${number}`, "out_of_range", detail);
    } else {
      parts.push([firstPlace(first, order), firstPlace(last, order)]);
    }
  }
  return parts;
}

/** Reads how units are put in order. */
export function dialectOf(part: Part): string {
  const dialect = part.textIfAny("dialect") ?? "native";
  if (!isDialect(dialect)) {
    part.wrong("/dialect", CODE, `The dialect \`${dialect}\` is not known here; a newer version may know it.`);
  }
  return dialect;
}

/** Says which attributes tell the unit. An empty text is one only where it always has been. */
export function unitsOf(first: string, others: readonly string[], isNative: boolean): Units {
  return { names: [first, ...others], withEmpty: isNative && others.length === 0 };
}

/** Reads a percentage in thousandths of a percent. */
export function thousandths(percent: unknown): number | undefined {
  if (typeof percent !== "number" || percent < 0 || percent > 100) {
    return undefined;
  }
  const parts = percent * PARTS;
  const whole = Math.round(parts);
  return Math.abs(parts - whole) < 1e-6 ? whole : undefined;
}

/** Whether it lets a subject pass. */
export function isOpen(gate: Gate, subject: Subject): boolean {
  const place = placeIn(gate, subject);
  return place !== undefined && has(gate.parts, place);
}

/** Says where a subject stands in an order, if it is known who it is, or does not matter. */
export function placeIn({ order, by }: Gate, subject: Subject): number | undefined {
  const [unit] = unitAmong(subject, by) ?? [];
  return unit === undefined ? order.ofNobody : order.of(unit);
}

/** Whether a place is in one of some parts. */
export function has(parts: Gate["parts"], place: number): boolean {
  return parts.some(([first, last]) => first <= place && place < last);
}

/** Says the unit that an attribute names. */
export function unitOf(subject: Subject, by: string): string | undefined {
  const value = subject.attributes.get(by);
  return value === undefined ? undefined : textOf(value);
}

/** Says which unit it is, and by which attribute. */
export function unitAmong(subject: Subject, by: Units): readonly [unit: string, by: string] | undefined {
  for (const name of by.names) {
    const unit = unitOf(subject, name);
    if (unit !== undefined && (unit !== "" || by.withEmpty)) {
      return [unit, name];
    }
  }
  return undefined;
}
