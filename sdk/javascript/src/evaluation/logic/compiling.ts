/**
 * Compiles logic: what is written down alone is evaluated once, ahead, and what can never be reached is left out.
 *
 * Not for speed: the server does so, and it shows. Of numbers that are added, those that are written down come first; and
 * some operators take no list that is written down.
 */

import { isObject } from "../reading.js";
import { ARITHMETIC } from "./arithmetic.js";
import { FLAGD } from "./flagd.js";
import { evaluate, follow, type Node, type Operate, pathOf, type Scope } from "./nodes.js";
import { LOOPS, OPERATORS } from "./operators.js";
import { type Data, isTruthy, LogicError, textOfNumber, wholeOf } from "./values.js";

/** Operators that are not evaluated ahead, whatever they are asked about. */
const NOT_AHEAD: ReadonlySet<string> = new Set([
  ...["var", "missing", "missing_some", "merge", "min", "max"],
  ...LOOPS.keys(),
  ...FLAGD.keys(),
]);
const ALL: ReadonlyMap<string, Operate> = new Map([...OPERATORS, ...LOOPS, ...ARITHMETIC, ...FLAGD]);
/** Operators that take a list of arguments and nothing else. */
const WITH_LIST: ReadonlySet<string> = new Set(["if", "?:", "and", "or"]);
const NOTHING: Scope = { root: null, data: null };
const SLOT = /^(current|accumulator)\.(.*)$/s;

/** Compiles logic; throws a `LogicError` if it has no form. */
export function compile(source: unknown): Node {
  if (Array.isArray(source)) {
    return ahead({ kind: "list", nodes: source.map(compile) });
  }
  const [first, ...more] = isObject(source) ? Object.entries(source) : [];
  if (first === undefined) {
    return written(source as Data);
  }
  if (more.length > 0) {
    throw new LogicError("an operator is an object with one field");
  }
  const [name, said] = first;
  if (WITH_LIST.has(name) && !Array.isArray(said)) {
    return { kind: "operator", name: "", operate: () => failed(`\`${name}\` has no list`), nodes: [] };
  }
  const nodes = (Array.isArray(said) ? said : [said]).map(compile);
  if (name === "var") {
    return variable(nodes);
  }
  const operate = ALL.get(name) ?? (() => failed(`there is no operator \`${name}\``));
  return ahead(shortened({ kind: "operator", name, operate, nodes }));
}

function written(value: Data): Node {
  return { kind: "value", value };
}

function failed(detail: string): never {
  throw new LogicError(detail);
}

/** Evaluates what can be evaluated ahead; what fails then fails when it is asked. */
function ahead(node: Node): Node {
  if (node.kind === "value" || !isWritten(node)) {
    return node;
  }
  try {
    return written(evaluate(node, NOTHING));
  } catch (error) {
    if (error instanceof LogicError) {
      return node;
    }
    throw error;
  }
}

/** Whether it gives the same of everybody, at all times. */
function isWritten(node: Node): boolean {
  switch (node.kind) {
    case "value":
      return true;
    case "list":
      return node.nodes.every(isWritten);
    case "variable":
      return false;
    case "operator":
      return !NOT_AHEAD.has(node.name) && ALL.has(node.name) && node.nodes.every(isWritten);
  }
}

function variable(nodes: readonly Node[]): Node {
  const [path, otherwise] = nodes;
  if (path === undefined) {
    return { kind: "variable", path: [], otherwise };
  }
  if (path.kind === "value" && typeof path.value === "number") {
    return { kind: "variable", path: pathOf(textOfNumber(path.value)), otherwise };
  }
  if (path.kind === "value" && typeof path.value === "string") {
    const [, slot, rest = ""] = SLOT.exec(path.value) ?? [];
    return { kind: "variable", path: slot === undefined ? pathOf(path.value) : [slot, ...pathOf(rest)], otherwise };
  }
  return { kind: "operator", name: "var", operate: readMade, nodes };
}

/** Reads what has no path that is written down, which rules of flags may have as `null` alone: all that there is. */
function readMade(nodes: readonly Node[], scope: Scope): Data {
  const parts = nodes.map((node) => evaluate(node, scope));
  if (parts.length === 1 && parts[0] === null) {
    return scope.data;
  }
  let found: Data | undefined = scope.data;
  for (const part of parts) {
    const path = typeof part === "string" ? pathOf(part) : wholeOf(part) === undefined ? undefined : [String(part)];
    found = found === undefined || path === undefined ? undefined : follow(found, path);
  }
  return found ?? null;
}

/** Leaves out what is never reached, and adds up what is written down. */
function shortened(node: Node & { readonly kind: "operator" }): Node {
  switch (node.name) {
    case "if":
    case "?:":
      return withoutBranches(node);
    case "and":
      return withoutSteps(node, false);
    case "or":
      return withoutSteps(node, true);
    case "+":
    case "*":
      return withSum(node);
    default:
      return node;
  }
}

/** Leaves branches out whose condition is written down. */
function withoutBranches(node: Node & { readonly kind: "operator" }): Node {
  const left: Node[] = [];
  for (let place = 0; place < node.nodes.length; place += 2) {
    const [condition, branch] = [node.nodes[place] as Node, node.nodes[place + 1]];
    if (branch === undefined || (condition.kind === "value" && isTruthy(condition.value))) {
      left.push(branch ?? condition);
      break;
    }
    if (condition.kind !== "value") {
      left.push(condition, branch);
    }
  }
  return left.length > 1 ? { ...node, nodes: left } : (left[0] ?? written(null));
}

/** Leaves out of `and` and `or` what is written down and decides nothing, and all behind what decides. */
function withoutSteps(node: Node & { readonly kind: "operator" }, decides: boolean): Node {
  if (!node.nodes.some((one) => one.kind === "value")) {
    return node;
  }
  const left: Node[] = [];
  for (const [place, one] of node.nodes.entries()) {
    const isDecided = one.kind === "value" && isTruthy(one.value) === decides;
    if (one.kind !== "value" || isDecided || place === node.nodes.length - 1) {
      left.push(one);
    }
    if (isDecided) {
      break;
    }
  }
  const [only] = left;
  return left.length === 1 && only !== undefined ? only : { ...node, nodes: left };
}

/** Adds or multiplies what is written down first, if there is something else besides. */
function withSum(node: Node & { readonly kind: "operator" }): Node {
  const known = node.nodes.filter(isWritten);
  if (known.length < 2 || known.length === node.nodes.length) {
    return node;
  }
  const sum = ahead({ ...node, nodes: known });
  return sum.kind === "value" ? { ...node, nodes: [sum, ...node.nodes.filter((one) => !isWritten(one))] } : node;
}
