/** Flags, compiled: a set is made once and asked by many at a time. */

import type { Bucketing } from "./bucketing.js";
import type { Fits } from "./conditions.js";
import { type Gate, isOpen, type Units, unitAmong, unitOf } from "./gates.js";
import { type Logic, LogicError } from "./logic.js";
import type { Order } from "./orders.js";
import type { Problem } from "./problems.js";
import type { Subject } from "./subject.js";

/** Why a subject got its variant. */
export type Reason =
  /** Everybody gets it. */
  | "static"
  /** A rule, or an override, is for them. */
  | "targeting_match"
  /** They are in that part of a split. */
  | "split"
  /** No rule was for them. */
  | "default"
  /** The flag is off. */
  | "disabled"
  /** Another flag does not give what this one needs. */
  | "prerequisite_failed"
  /** It is not known which part of a split they are in. */
  | "unit_missing"
  /** Logic went wrong, or gave what is no variant. */
  | "error";

/** What those get who came here: a variant's place, that on which the unit's hash falls, that of a part, or what logic says. */
export type Outcome =
  | { readonly serve: number }
  | { readonly place: (hash: number, subject: Subject) => number; readonly by: Units }
  | { readonly logic: Logic }
  | Buckets;

/** Parts of all units in an order. */
export interface Buckets {
  readonly order: Order;
  readonly by: Units;
  /** Before which place each part ends, and the variant that it gets, if it is for them. */
  readonly parts: readonly (readonly [end: number, variant: number | undefined])[];
}

/** What another flag must give. */
export interface Needed {
  readonly flag: string;
  readonly variants: ReadonlySet<string>;
}

/** Who gets what. */
export interface Rule {
  readonly name: string | undefined;
  readonly when: Fits | undefined;
  /** From when on and until when it holds, in microseconds. */
  readonly window: readonly [from: number, until: number];
  readonly gates: readonly Gate[];
  /** What other flags must give; otherwise it is not for them. */
  readonly requires: readonly Needed[];
  readonly outcome: Outcome;
}

/** A flag of an environment. */
export interface Flag {
  readonly key: string;
  readonly version: number;
  readonly isBoolean: boolean;
  readonly enabled: boolean;
  /** In the order of their names, by which splits hand units out. */
  readonly variants: readonly { readonly name: string; readonly value: unknown }[];
  readonly off: number;
  /** What other flags must give. */
  readonly prerequisites: readonly Needed[];
  /** Variants of single units. */
  readonly overrides: readonly { readonly by: string; readonly values: ReadonlySet<string>; readonly variant: number }[];
  readonly rules: readonly Rule[];
  readonly otherwise: Outcome;
  readonly bucketing: Bucketing;
}

/** What a subject got. */
export interface Evaluation {
  readonly key: string;
  /** The value of a boolean flag; of others, whether the variant is another than that of `off`. */
  readonly enabled: boolean;
  readonly variant: string;
  readonly value: unknown;
  readonly reason: Reason;
  /** The rule that was for them: its name, or its place from 1 as `#2`. */
  readonly rule: string | null;
  readonly flagVersion: number;
  /** The attribute that says which unit it is, if that decided. */
  readonly by?: string;
  /** The unit, if it decided. */
  readonly unit?: string;
}

/** What was decided: the variant's place, why, and the rule's place. */
type Decision = readonly [variant: number, reason: Reason, rule: number | undefined];

/** All flags of an environment that can be evaluated here, and what is wrong with the others. */
export class Flags {
  constructor(
    private readonly flags: ReadonlyMap<string, Flag>,
    readonly problems: readonly Problem[],
  ) {}

  /** Says the keys of all flags. */
  keys(): string[] {
    return [...this.flags.keys()];
  }

  /** Says what a subject gets of a flag; nothing if there is no such flag. */
  evaluate(key: string, subject: Subject): Evaluation | undefined {
    const flag = this.flags.get(key);
    if (!flag) {
      return undefined;
    }
    const [place, reason, rule] = this.#decide(flag, subject);
    const variant = variantAt(flag, place);
    const outcome = (rule === undefined ? undefined : flag.rules[rule]?.outcome) ?? flag.otherwise;
    const [unit, by] = (reason === "split" && "by" in outcome && unitAmong(subject, outcome.by)) || [];
    return {
      key,
      enabled: flag.isBoolean ? variant.value === true : place !== flag.off,
      variant: variant.name,
      value: variant.value,
      reason,
      rule: rule === undefined ? null : (flag.rules[rule]?.name ?? `#${rule + 1}`),
      flagVersion: flag.version,
      ...(by !== undefined && unit !== undefined && { by, unit }),
    };
  }

  /** Whether other flags give what they must. */
  #areMet(needed: readonly Needed[], subject: Subject): boolean {
    return needed.every(({ flag, variants }) => {
      const other = this.flags.get(flag);
      return other !== undefined && variants.has(variantAt(other, this.#decide(other, subject)[0]).name);
    });
  }

  #decide(flag: Flag, subject: Subject): Decision {
    if (!flag.enabled) {
      return [flag.off, "disabled", undefined];
    }
    if (!this.#areMet(flag.prerequisites, subject)) {
      return [flag.off, "prerequisite_failed", undefined];
    }
    for (const { by, values, variant } of flag.overrides) {
      const unit = unitOf(subject, by);
      if (unit !== undefined && values.has(unit)) {
        return [variant, "targeting_match", undefined];
      }
    }
    for (const [place, rule] of flag.rules.entries()) {
      const isFor = fits(rule, subject) && this.#areMet(rule.requires, subject);
      const given = isFor ? give(flag, rule.outcome, subject, ["targeting_match", place]) : undefined;
      if (given) {
        return given;
      }
    }
    const isForEverybody = flag.rules.length === 0 && flag.overrides.length === 0;
    const given = give(flag, flag.otherwise, subject, [isForEverybody ? "static" : "default", undefined]);
    return given ?? [flag.off, "unit_missing", undefined];
  }
}

function variantAt(flag: Flag, place: number): Flag["variants"][number] {
  const variant = flag.variants[place];
  if (!variant) {
    throw new RangeError(`the flag ${flag.key} has no variant at ${place}`);
  }
  return variant;
}

function fits({ window: [from, until], when, gates }: Rule, subject: Subject): boolean {
  const isNow = from <= subject.nowMicros && subject.nowMicros < until;
  return isNow && (when?.(subject) ?? true) && gates.every((gate) => isOpen(gate, subject));
}

/** Says what a subject gets of an outcome; nothing if it is not for them. */
function give(
  flag: Flag,
  outcome: Outcome,
  subject: Subject,
  [reason, rule]: readonly [Reason, number | undefined],
): Decision | undefined {
  if ("serve" in outcome) {
    return [outcome.serve, reason, rule];
  }
  if ("order" in outcome) {
    return givePart(flag, outcome, subject, rule);
  }
  if ("logic" in outcome) {
    return giveNamed(flag, outcome.logic, subject, [reason, rule]);
  }
  const [unit] = unitAmong(subject, outcome.by) ?? [];
  if (unit === undefined) {
    return [flag.off, "unit_missing", rule];
  }
  return [outcome.place(flag.bucketing.of(unit), subject), "split", rule];
}

/** Says what a subject gets by logic: the variant of `off` where that goes wrong, or names none. */
function giveNamed(
  flag: Flag,
  logic: Logic,
  subject: Subject,
  [reason, rule]: readonly [Reason, number | undefined],
): Decision | undefined {
  let place: number;
  try {
    const named = logic.named(flag.key, subject);
    if (named === undefined) {
      return undefined;
    }
    place = flag.variants.findIndex(({ name }) => name === named);
  } catch (error) {
    if (!(error instanceof LogicError)) {
      throw error;
    }
    place = -1;
  }
  return place < 0 ? [flag.off, "error", rule] : [place, reason, rule];
}

function givePart(flag: Flag, buckets: Buckets, subject: Subject, rule: number | undefined): Decision | undefined {
  const { order, by, parts } = buckets;
  const [unit] = unitAmong(subject, by) ?? [];
  const place = unit === undefined ? order.ofNobody : order.of(unit);
  if (place === undefined) {
    return order.leavesNobody ? undefined : [flag.off, "unit_missing", rule];
  }
  const [, variant] = parts.find(([end]) => place < end) ?? [];
  return variant === undefined ? undefined : [variant, unit === undefined ? "unit_missing" : "split", rule];
}
