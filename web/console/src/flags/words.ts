/** Who gets what, in words. What stands in backticks is code. */
import type { Condition, Dialect, FlagType, Gate, Operator, Outcome, Prerequisite, Rollout, Rule, Span, Targeting, Test, Units } from "./model";
import { isGrowing, shareAt } from "./rollout";

/** How many values a comparison takes. */
type Takes = "none" | "one" | "many";

/** An operator as people read it: in a sentence and in the list to choose from. */
interface Words {
  group: "Text" | "Presence" | "Number" | "Time" | "Version" | "Network" | "List";
  title: string;
  takes: Takes;
  /** Capitals may make no difference. */
  letters?: true;
  /** What a value looks like. */
  example?: string;
}

const number = { group: "Number", example: "18" } as const;
const entries = { group: "List", example: "2" } as const;
const version = { group: "Version", example: "2.1.0" } as const;

/** All operators, in the order in which they are offered. */
export const operators: Record<Operator, Words> = {
  in: { group: "Text", title: "is one of", takes: "many", letters: true },
  not_in: { group: "Text", title: "is none of", takes: "many", letters: true },
  starts_with: { group: "Text", title: "begins with", takes: "many", letters: true },
  ends_with: { group: "Text", title: "ends with", takes: "many", letters: true, example: "@example.com" },
  contains: { group: "Text", title: "contains", takes: "many", letters: true },
  matches: { group: "Text", title: "matches", takes: "many", letters: true, example: "^v[0-9]+$" },
  is_present: { group: "Presence", title: "is known", takes: "none" },
  is_absent: { group: "Presence", title: "is not known", takes: "none" },
  eq: { ...number, title: "= number", takes: "many" },
  gt: { ...number, title: "> number", takes: "one" },
  gte: { ...number, title: "≥ number", takes: "one" },
  lt: { ...number, title: "< number", takes: "one" },
  lte: { ...number, title: "≤ number", takes: "one" },
  modulo: { group: "Number", title: "leaves the remainder", takes: "many", example: "10|3" },
  before: { group: "Time", title: "is before", takes: "one", example: "2027-01-01T00:00:00Z" },
  after: { group: "Time", title: "is after", takes: "one", example: "2027-01-01T00:00:00Z" },
  semver_eq: { ...version, title: "= version", takes: "many" },
  semver_gt: { ...version, title: "> version", takes: "one" },
  semver_gte: { ...version, title: "≥ version", takes: "one" },
  semver_lt: { ...version, title: "< version", takes: "one" },
  semver_lte: { ...version, title: "≤ version", takes: "one" },
  in_network: { group: "Network", title: "is in the network", takes: "many", example: "10.0.0.0/8" },
  has_all: { group: "List", title: "has all of", takes: "many", letters: true },
  size_eq: { ...entries, title: "= entries", takes: "many" },
  size_gt: { ...entries, title: "> entries", takes: "one" },
  size_lt: { ...entries, title: "< entries", takes: "one" },
  is_kind: { group: "Presence", title: "is a", takes: "many", example: "text, number, boolean, list" },
};

/** How many of many values a sentence names. */
const NAMED = 8;

const code = (text: string): string => `\`${text}\``;

/** `` `a`, `b` and `c` ``, and of many only how many there are more. */
export function listed(values: string[], join: "and" | "or" = "or"): string {
  if (values.length === 0) return "nothing";
  if (values.length > NAMED) return `${values.slice(0, NAMED).map(code).join(", ")} ${join} ${values.length - NAMED} more`;
  const last = values.at(-1) ?? "";
  return values.length === 1 ? code(last) : `${values.slice(0, -1).map(code).join(", ")} ${join} ${code(last)}`;
}

/** `` `country` is one of `DE` or `FR` ``. */
export function testInWords({ attribute, op, values = [], ignore_case, text_only, short }: Test): string {
  const words = operators[op];
  const subject = `${text_only ? "the text " : ""}${code(attribute)} ${words?.title ?? op}`;
  if (words?.takes === "none") return subject;
  const join = op === "has_all" || op === "not_in" ? "and" : "or";
  return `${subject} ${listed(values, join)}${ignore_case ? ", in capitals or not" : ""}${short ? ", short or not" : ""}`;
}

/** `from 2026-11-22T00:00:00Z until 2026-12-01T00:00:00Z`. */
export function spanInWords({ from, until }: Span): string {
  return [from && `from ${code(from)}`, until && `until ${code(until)}`].filter(Boolean).join(" ");
}

/** `12.5 %`. */
export const percent = (share: number): string => `${share} %`;

/** The parts of a split that somebody gets, the largest first. */
export const partsOf = (split: Record<string, number>): [variant: string, percent: number][] =>
  Object.entries(split)
    .filter(([, share]) => share !== 0)
    .toSorted(([, one], [, other]) => other - one);

/** `` 10 % `on`, 90 % `off` ``. */
export const splitInWords = (split: Record<string, number>): string =>
  partsOf(split)
    .map(([variant, share]) => `${percent(share)} ${code(variant)}`)
    .join(", ");

/** `` , by `anonymous_id`, else by `user_id` ``; nothing where nothing tells units apart. */
export const unitsInWords = ({ by, or_by = [] }: Units): string => (by ? `, ${[by, ...or_by].map((name) => `by ${code(name)}`).join(", else ")}` : "");

/** Whose hash puts units in order. */
export const dialects: Record<Dialect, string> = {
  native: "Gateline",
  unleash: "Unleash",
  growthbook_v1: "GrowthBook, version 1",
  growthbook_v2: "GrowthBook, version 2",
  launchdarkly: "LaunchDarkly",
};

/** `` the part 0 % to 50 % of all in `layer-1`, by `user_id` ``. */
export function gateInWords({ key, parts, dialect, ...units }: Gate): string {
  const order = dialect && dialect !== "native" ? `, in the order of ${dialects[dialect]}` : "";
  return `the part ${parts.map(([from, to]) => `${percent(from)} to ${percent(to)}`).join(", ")} of all in ${code(key)}${unitsInWords(units)}${order}`;
}

/** `` Only if the flag `a` gives `on` ``. */
export const requiresInWords = ({ flag, variants }: Prerequisite): string => `Only if the flag ${code(flag)} gives ${listed(variants)}`;

/** How many steps of a schedule a sentence names. */
const STEPS = 3;

/** `` `on` for 0 %, for 5 % from `2026-12-01T00:00:00Z`, else `off` ``. */
function rolloutInWords({ serve, others, start = 0, steps, smooth }: Rollout): string {
  const named = steps.slice(0, STEPS).map((step) => (smooth ? `growing to ${percent(step.percent)} at ${code(step.at)}` : `for ${percent(step.percent)} from ${code(step.at)}`));
  const more = steps.length > STEPS ? [`${steps.length - STEPS} more`] : [];
  return `${[`${code(serve)} for ${percent(start)}`, ...named, ...more].join(", ")}, else ${code(others)}`;
}

/** `` 12.5 % `on`, else `off`, by `user_id` ``, where the steps stand beside it. */
export const rolloutNow = (rollout: Rollout, units: Units, now = Date.now()): string =>
  `${percent(shareAt(rollout, now))} ${code(rollout.serve)}, else ${code(rollout.others)}${unitsInWords(units)}`;

/** `` `on` ``, or `` 10 % `on`, 90 % `off`, by `user_id` ``. */
export function outcomeInWords({ serve, split, buckets, rollout, logic, ...units }: Outcome & Pick<Rule, "logic">): string {
  if (serve !== undefined) return code(serve);
  if (logic !== undefined) return "what its logic says";
  if (buckets) {
    const parts = buckets.parts.map(({ weight, serve: variant }) => `${weight} ${variant === undefined ? "nothing" : code(variant)}`);
    return `parts ${parts.join(", ")}, ${code(buckets.dialect ?? "native")}${unitsInWords(units)}`;
  }
  if (!split && !rollout) return "nothing";
  return `${split ? splitInWords(split) : rollout ? rolloutInWords(rollout) : ""}${unitsInWords(units)}`;
}

/** A condition in one line, for the head of a rule. */
export function conditionInWords(condition: Condition | undefined): string {
  if (!condition) return "everybody";
  const inside = (each: Condition) => ("all" in each || "any" in each ? `(${conditionInWords(each)})` : conditionInWords(each));
  if ("all" in condition) return condition.all.length === 0 ? "everybody" : condition.all.map(inside).join(" and ");
  if ("any" in condition) return condition.any.length === 0 ? "nobody" : condition.any.map(inside).join(" or ");
  if ("not" in condition) return `not ${inside(condition.not)}`;
  if ("segment" in condition) return `in the segment ${code(condition.segment)}`;
  if ("during" in condition) return spanInWords(condition.during);
  if ("share" in condition) return gateInWords(condition.share);
  if ("element" in condition) return elementInWords(condition);
  return testInWords(condition);
}

/** `` an entry of `tags` for which (`tags` begins with `a`) ``. */
export const elementInWords = ({ element, fits }: Extract<Condition, { element: string }>): string =>
  `an entry of ${code(element)} for which (${conditionInWords(fits)})`;

/** What values a flag has. */
export const types: Record<FlagType, string> = { boolean: "Boolean", string: "String", number: "Number", json: "JSON" };

/** Why somebody gets what they get, by its name in answers: in a word or two, and in a sentence. */
export const reasons = {
  static: ["For everybody", "Everybody gets it."],
  targeting_match: ["Rule or override", "A rule or an override is for them."],
  split: ["Split", "They are in that part of a split."],
  default: ["No rule fits", "No rule was for them."],
  disabled: ["Off", "The flag is off."],
  prerequisite_failed: ["Other flag", "Another flag does not give what this one needs."],
  unit_missing: ["Unit not known", "The attribute that the split goes by is not known."],
  error: ["Logic failed", "The rule's logic went wrong or gave no variant."],
} satisfies Record<string, [short: string, sentence: string]>;

export type Reason = keyof typeof reasons;

/** A reason in words; one that a newer server has, by its name. */
export const reasonInWords = (reason: string): [short: string, sentence: string] => (reasons as Record<string, [string, string]>)[reason] ?? [reason, reason];

/** What a rule is called: its name, else its place from 1, as answers call it. */
export const titleOf = (rule: Rule, place: number): string => rule.name || `#${place + 1}`;

/** How much of a flag is on somewhere, and in which tone that is said. */
export interface Glance {
  text: string;
  tone: "neutral" | "ok" | "accent";
}

/** The state of a flag in an environment in two or three words. */
export function glance(targeting: Targeting): Glance {
  if (targeting.enabled === false) return { text: "Off", tone: "neutral" };
  const { rules = [], overrides = [], otherwise } = targeting;
  const some = rules.length > 0 ? `${rules.length} ${rules.length === 1 ? "rule" : "rules"}` : overrides.length > 0 ? "Overrides" : "";
  const rest = restOf(targeting);
  if (some) return { text: rest ? `${some}, ${rest}` : some, tone: "accent" };
  if (otherwise.serve !== undefined) {
    return otherwise.serve === targeting.off ? { text: "Nobody", tone: "neutral" } : { text: `All: ${otherwise.serve}`, tone: "ok" };
  }
  return { text: rest ? rest.charAt(0).toUpperCase() + rest.slice(1) : "Nobody", tone: rest ? "accent" : "neutral" };
}

/** What those get whom no rule fits, unless it is the variant `off`. */
function restOf({ off, otherwise }: Targeting): string {
  if (otherwise.serve !== undefined) return otherwise.serve === off ? "" : `else ${otherwise.serve}`;
  const { rollout } = otherwise;
  if (rollout) return `${percent(shareAt(rollout))} ${rollout.serve}${isGrowing(rollout) ? ", by schedule" : ""}`;
  const others = partsOf(otherwise.split ?? {}).filter(([variant]) => variant !== off);
  const [first] = others;
  if (!first) return "";
  return others.length === 1 ? `${percent(first[1])} ${first[0]}` : `split of ${Object.keys(otherwise.split ?? {}).length}`;
}
