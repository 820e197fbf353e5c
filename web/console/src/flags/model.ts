/** Feature flags as the API has them, and what can be said of them without asking it. */
import type { Schemas } from "@gateline/api-client";
import { mergePatch } from "@gateline/ui/diff.ts";

export type Flag = Schemas["FeatureFlag"];
export type FlagType = Schemas["FlagType"];
export type Targeting = Schemas["FlagTargeting"];
export type Condition = Schemas["FlagCondition"];
export type Test = Schemas["FlagTest"];
export type Operator = Schemas["FlagOperator"];
export type Outcome = Schemas["FlagOutcome"];
/** What says which unit it is. */
export type Units = Pick<Outcome, "by" | "or_by">;
export type Rule = Schemas["FlagRule"];
export type Rollout = Schemas["FlagRollout"];
export type Kept = Schemas["FlagKept"];
export type Span = Schemas["FlagSpan"];
export type Gate = Schemas["FlagGate"];
export type Dialect = Schemas["FlagDialect"];
export type Override = Schemas["FlagOverride"];
export type Prerequisite = Schemas["FlagPrerequisite"];
export type Explanation = Schemas["FlagExplanation"];
export type Segment = Schemas["Segment"];
export type Step = Schemas["FlagStep"];

/** The attribute that tells units apart unless something else is said. */
export const UNIT = "user_id";

/** The values of a flag by the names of its variants. */
export const variantsOf = (flag: Pick<Flag, "variants">): Record<string, unknown> => flag.variants;

/** Where the switch asks first: wherever the name does not say that nothing can break. */
export const isSerious = (environment: string): boolean => !/^(sandbox|dev|test|stag|local|demo|preview)/.test(environment);

/** The editable part of a flag or a segment. */
export function specOf<Thing extends object>(thing: Thing): Partial<Thing> {
  const kept = new Set(["id", "organization_id", "created_at", "updated_at", "revision", "links", "last_evaluated_at", "stale"]);
  return Object.fromEntries(Object.entries(thing).filter(([name]) => !kept.has(name))) as Partial<Thing>;
}

/** Whether a moment is over. */
export const isOver = (at: string, now = Date.now()): boolean => Date.parse(at) < now;

/** The part for an environment that a flag begins with: on, and the variant `off` for everybody. */
export const beginning = (off: string): Targeting => ({ enabled: true, off, otherwise: { serve: off } });

/** The variant that stands for off: the one of that name, else the first. */
export function offOf(flag: Pick<Flag, "variants" | "environments">): string {
  const [known] = Object.values(flag.environments);
  const names = Object.keys(variantsOf(flag));
  return known?.off ?? names.find((name) => name === "off") ?? names[0] ?? "";
}

/** A share with the digits that shares have. */
export const thousandths = (percent: number): number => Math.round(percent * 1000) / 1000;

/** How many percent of a split are given out, however many digits they have. */
export const given = (split: Record<string, number>): number =>
  thousandths(Object.values(split).reduce((sum, percent) => sum + (typeof percent === "number" ? percent : 0), 0));

/** The other of two variants, and the share of all that has it when no rule fits; `undefined` when it is not that simple. */
export function shareOf(flag: Pick<Flag, "variants">, targeting: Targeting): { variant: string; percent: number } | undefined {
  const names = Object.keys(variantsOf(flag));
  const variant = names.find((name) => name !== targeting.off);
  if (names.length !== 2 || variant === undefined) return undefined;
  const { serve, split } = targeting.otherwise;
  // A schedule is not overridden by a slide.
  if (!split && serve === undefined) return undefined;
  if (split) return { variant, percent: split[variant] ?? 0 };
  return { variant, percent: serve === variant ? 100 : 0 };
}

/** Whether units are told apart by something else than they are if nothing is said. */
export const hasOwnUnits = ({ by = UNIT, or_by = [] }: Units): boolean => by !== UNIT || or_by.length > 0;

/**
 * What those get whom no rule fits, when a share of them gets the variant and the rest the one of `off`. A share of all or
 * of nobody stays a split where that is the only way to say what the next one goes by.
 */
export function shared({ off, otherwise }: Targeting, variant: string, percent: number): Outcome {
  if (percent === 100 && !hasOwnUnits(otherwise)) return { serve: variant };
  if (percent === 0 && !hasOwnUnits(otherwise)) return { serve: off };
  const { by = UNIT, or_by } = otherwise;
  const split = { ...(percent > 0 && { [variant]: percent }), ...(percent < 100 && { [off]: thousandths(100 - percent) }) };
  return { split, by, ...(or_by?.length && { or_by }) };
}

function* testsOf(condition: Condition | undefined): Generator<string> {
  if (!condition) return;
  if ("all" in condition) for (const each of condition.all) yield* testsOf(each);
  else if ("any" in condition) for (const each of condition.any) yield* testsOf(each);
  else if ("not" in condition) yield* testsOf(condition.not);
  else if ("share" in condition) yield* [condition.share.by, ...(condition.share.or_by ?? [])];
  else if ("element" in condition) yield condition.element;
  else if ("attribute" in condition) yield condition.attribute;
}

/** The attributes that a condition looks at. */
export const attributesIn = (condition: Condition | undefined): string[] => [...new Set(testsOf(condition))];

const ofUnits = ({ by, or_by = [] }: Units) => [by, ...or_by];
const ofRule = (rule: Rule) => [...testsOf(rule.when), ...(rule.gates ?? []).flatMap(ofUnits), ...ofUnits(rule)];

/** The attributes that an answer may depend on, in the order in which they are looked at. */
export function attributesOf(targeting: Targeting): string[] {
  const { overrides = [], rules = [], otherwise } = targeting;
  const all = [...overrides.map((each) => each.by), ...rules.flatMap(ofRule), ...ofUnits(otherwise)];
  return [...new Set(all.filter((name): name is string => Boolean(name)))];
}

const hasNull = (value: unknown): boolean => value === null || (typeof value === "object" && Object.values(value as object).some(hasNull));
const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/**
 * What of the values is to change, as a JSON Merge Patch says it, and the variants that it cannot change: in a patch
 * `null` takes away, so that no value can become `null` or hold one.
 */
export function variantsPatch(before: Record<string, unknown>, after: Record<string, unknown>): { patch: Record<string, unknown>; impossible: string[] } {
  const changed = Object.entries(after).filter(([name, value]) => !(name in before) || !same(before[name], value));
  const gone = Object.keys(before).filter((name) => !(name in after));
  return {
    patch: Object.fromEntries([...gone.map((name) => [name, null]), ...changed.map(([name, value]) => [name, mergePatch(before[name], value)])]),
    impossible: changed.filter(([, value]) => hasNull(value)).map(([name]) => name),
  };
}
