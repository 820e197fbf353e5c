/** Whether what was typed as JSON has the shape of a flag's part for an environment, so that the form can show it. */
import { type Condition, type Outcome, type Targeting } from "./model";
import { operators } from "./words";

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string";
const isOptional = (value: unknown, is: (value: unknown) => boolean): boolean => value === undefined || is(value);
const areAll = (value: unknown, is: (value: unknown) => boolean): boolean => Array.isArray(value) && value.every(is);
const isTexts = (value: unknown): boolean => areAll(value, isText);
/** A name that no field of the form would show: the form would lose it. */
const hasOnly = (value: Json, names: string[]): boolean => Object.keys(value).every((name) => names.includes(name));

const isCondition = (value: unknown): value is Condition => {
  if (!isObject(value)) return false;
  const [name, second] = Object.keys(value);
  if (name === "all" || name === "any") return second === undefined && areAll(value[name], isCondition);
  if (name === "not") return second === undefined && isCondition(value["not"]);
  if (name === "segment") return second === undefined && isText(value["segment"]);
  return (
    hasOnly(value, ["attribute", "op", "values", "ignore_case"]) &&
    isText(value["attribute"]) &&
    isText(value["op"]) &&
    value["op"] in operators &&
    isOptional(value["values"], isTexts) &&
    isOptional(value["ignore_case"], (each) => typeof each === "boolean")
  );
};

const OUTCOME = ["serve", "split", "by"];

const isOutcome = (value: unknown): value is Outcome =>
  isObject(value) &&
  isOptional(value["serve"], isText) &&
  isOptional(value["by"], isText) &&
  // A share that is no number is shown as it stands.
  isOptional(value["split"], (split) => isObject(split) && Object.values(split).every((share) => typeof share === "number" || isText(share)));

const isGate = (value: unknown): boolean =>
  isObject(value) &&
  hasOnly(value, ["key", "by", "parts"]) &&
  isText(value["key"]) &&
  isText(value["by"]) &&
  areAll(value["parts"], (part) => Array.isArray(part) && part.length === 2);

const isRule = (value: unknown): boolean =>
  isOutcome(value) &&
  hasOnly(value as Json, ["name", "when", "from", "until", "gates", ...OUTCOME]) &&
  ["name", "from", "until"].every((name) => isOptional((value as Json)[name], isText)) &&
  isOptional((value as Json)["when"], isCondition) &&
  isOptional((value as Json)["gates"], (gates) => areAll(gates, isGate));

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
