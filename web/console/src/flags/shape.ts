/** Whether what was typed as JSON has the shape of a flag's part for an environment, so that the form can show it. */
import { type Condition, type Outcome, type Targeting } from "./model";
import { dialects, operators } from "./words";

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string";
const isOptional = (value: unknown, is: (value: unknown) => boolean): boolean => value === undefined || is(value);
const areAll = (value: unknown, is: (value: unknown) => boolean): boolean => Array.isArray(value) && value.every(is);
const isTexts = (value: unknown): boolean => areAll(value, isText);
/** A name that no field of the form would show: the form would lose it. */
const hasOnly = (value: Json, names: string[]): boolean => Object.keys(value).every((name) => names.includes(name));

const isBoolean = (value: unknown): boolean => typeof value === "boolean";
const isSpan = (value: unknown): boolean => isObject(value) && hasOnly(value, ["from", "until"]) && Object.values(value).every(isText);

const isCondition = (value: unknown): value is Condition => {
  if (!isObject(value)) return false;
  const [name, second] = Object.keys(value);
  if (name === "all" || name === "any") return second === undefined && areAll(value[name], isCondition);
  if (name === "not") return second === undefined && isCondition(value["not"]);
  if (name === "segment") return second === undefined && isText(value["segment"]);
  if (name === "during") return second === undefined && isSpan(value["during"]);
  if (name === "share") return second === undefined && isGate(value["share"]);
  if ("element" in value) return hasOnly(value, ["element", "fits"]) && isText(value["element"]) && isCondition(value["fits"]);
  return (
    hasOnly(value, ["attribute", "op", "values", "ignore_case", "text_only", "short"]) &&
    isText(value["attribute"]) &&
    isText(value["op"]) &&
    value["op"] in operators &&
    isOptional(value["values"], isTexts) &&
    isOptional(value["ignore_case"], isBoolean) &&
    isOptional(value["text_only"], isBoolean) &&
    isOptional(value["short"], isBoolean)
  );
};

const OUTCOME = ["serve", "split", "rollout", "by", "or_by", "buckets"];
/** A number that is none is shown as it stands. */
const isShare = (value: unknown): boolean => typeof value === "number" || isText(value);
const isParts = (value: unknown): boolean => areAll(value, (part) => Array.isArray(part) && part.length === 2);
const isSplit = (value: unknown): boolean => isObject(value) && Object.values(value).every(isShare);

const isStep = (value: unknown): boolean => isObject(value) && hasOnly(value, ["at", "percent"]) && isText(value["at"]) && isShare(value["percent"]);

const isRollout = (value: unknown): boolean =>
  isObject(value) &&
  hasOnly(value, ["serve", "others", "start", "steps", "smooth"]) &&
  isText(value["serve"]) &&
  isText(value["others"]) &&
  isOptional(value["start"], isShare) &&
  isOptional(value["smooth"], isBoolean) &&
  areAll(value["steps"], isStep);

const isKept = (value: unknown): boolean => isObject(value) && hasOnly(value, ["parts", "split"]) && isParts(value["parts"]) && isSplit(value["split"]);

const isPart = (value: unknown): boolean => isObject(value) && hasOnly(value, ["weight", "serve"]) && isShare(value["weight"]) && isOptional(value["serve"], isText);

const isBuckets = (value: unknown): boolean =>
  isObject(value) && hasOnly(value, ["dialect", "key", "parts"]) && isText(value["key"]) && isOptional(value["dialect"], isText) && areAll(value["parts"], isPart);

const isOutcome = (value: unknown): value is Outcome =>
  isObject(value) &&
  isOptional(value["serve"], isText) &&
  isOptional(value["by"], isText) &&
  isOptional(value["or_by"], isTexts) &&
  isOptional(value["rollout"], isRollout) &&
  isOptional(value["buckets"], isBuckets) &&
  isOptional(value["split"], isSplit);

const isGate = (value: unknown): boolean =>
  isObject(value) &&
  hasOnly(value, ["key", "by", "or_by", "dialect", "parts"]) &&
  isText(value["key"]) &&
  isText(value["by"]) &&
  isOptional(value["or_by"], isTexts) &&
  isOptional(value["dialect"], (dialect) => isText(dialect) && dialect in dialects) &&
  isParts(value["parts"]);

const isRule = (value: unknown): boolean =>
  isOutcome(value) &&
  hasOnly(value as Json, ["name", "when", "from", "until", "gates", "requires", "sticky", "kept", "logic", ...OUTCOME]) &&
  ["name", "from", "until"].every((name) => isOptional((value as Json)[name], isText)) &&
  isOptional((value as Json)["when"], isCondition) &&
  isOptional((value as Json)["sticky"], isBoolean) &&
  isOptional((value as Json)["kept"], (kept) => areAll(kept, isKept)) &&
  isOptional((value as Json)["gates"], (gates) => areAll(gates, isGate)) &&
  isOptional((value as Json)["requires"], (needed) => areAll(needed, isPrerequisite));

const isOverride = (value: unknown): boolean =>
  isObject(value) && hasOnly(value, ["by", "values", "serve"]) && isText(value["by"]) && isText(value["serve"]) && isTexts(value["values"]);

const isPrerequisite = (value: unknown): boolean => isObject(value) && hasOnly(value, ["flag", "variants"]) && isText(value["flag"]) && isTexts(value["variants"]);

/** Whether the form can show it all. */
export const isTargeting = (value: unknown): value is Targeting =>
  isObject(value) &&
  hasOnly(value, ["enabled", "off", "prerequisites", "overrides", "rules", "otherwise"]) &&
  isText(value["off"]) &&
  isOptional(value["enabled"], (each) => typeof each === "boolean") &&
  isOptional(value["prerequisites"], (each) => areAll(each, isPrerequisite)) &&
  isOptional(value["overrides"], (each) => areAll(each, isOverride)) &&
  isOptional(value["rules"], (each) => areAll(each, isRule)) &&
  isOutcome(value["otherwise"]) &&
  hasOnly(value["otherwise"] as Json, OUTCOME);
