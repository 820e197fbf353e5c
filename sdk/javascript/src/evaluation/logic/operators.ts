/** JSONLogic's operators but for arithmetic: decisions, comparisons, texts, and what goes through lists. */

import { evaluate, follow, type Node, type Operate, pathOf, type Scope } from "./nodes.js";
import {
  areEqual,
  areSame,
  compare,
  type Data,
  isFields,
  isList,
  isTruthy,
  LogicError,
  textOfData,
  wholeOf,
} from "./values.js";

/** What is compared, and whether that is what was asked for. */
type Holds = (one: Data, other: Data) => boolean;

/** Operators by their names. */
export const OPERATORS: ReadonlyMap<string, Operate> = new Map<string, Operate>([
  ["if", decide],
  ["?:", decide],
  ["and", (nodes, scope) => goOn(nodes, scope, true)],
  ["or", (nodes, scope) => goOn(nodes, scope, false)],
  ["!", ([node], scope) => !node || !isTruthy(evaluate(node, scope))],
  ["!!", ([node], scope) => node !== undefined && isTruthy(evaluate(node, scope))],
  ["==", allEqual(areEqual)],
  ["===", allEqual(areSame)],
  ["!=", differ(areEqual)],
  ["!==", differ(areSame)],
  [">", inOrder((order) => order > 0)],
  [">=", inOrder((order) => order >= 0)],
  ["<", inOrder((order) => order < 0)],
  ["<=", inOrder((order) => order <= 0)],
  ["in", isIn],
  ["cat", join],
  ["substr", cut],
  ["merge", merge],
  ["missing", (nodes, scope) => missing(each(nodes, scope), scope)],
  ["missing_some", missingSome],
]);

/** Operators that go through a list, by their names. */
export const LOOPS: ReadonlyMap<string, Operate> = new Map<string, Operate>([
  ["map", map],
  ["filter", filter],
  ["reduce", reduce],
  ["all", (nodes, scope) => isNowhere(nodes, scope, { until: false, ofNone: false })],
  ["some", (nodes, scope) => !isNowhere(nodes, scope, { until: true, ofNone: true })],
  ["none", (nodes, scope) => isNowhere(nodes, scope, { until: true, ofNone: true })],
]);

function each(nodes: readonly Node[], scope: Scope): readonly Data[] {
  return nodes.map((node) => evaluate(node, scope));
}

function decide(nodes: readonly Node[], scope: Scope): Data {
  for (let place = 0; place < nodes.length; place += 2) {
    const [condition, branch] = [evaluate(nodes[place] as Node, scope), nodes[place + 1]];
    if (branch === undefined) {
      return condition;
    }
    if (isTruthy(condition)) {
      return evaluate(branch, scope);
    }
  }
  return null;
}

/** Goes on as long as values count as true, or as false; says the last. */
function goOn(nodes: readonly Node[], scope: Scope, whileTrue: boolean): Data {
  let found: Data = null;
  for (const node of nodes) {
    found = evaluate(node, scope);
    if (isTruthy(found) !== whileTrue) {
      break;
    }
  }
  return found;
}

/** Makes what says whether all values are equal to the first. */
function allEqual(holds: Holds): Operate {
  return (nodes, scope) => {
    const [first, ...others] = atLeastTwo(nodes);
    const found = evaluate(first, scope);
    return others.every((node) => holds(found, evaluate(node, scope)));
  };
}

/** Makes what says whether the first two values are not equal; no more are looked at. */
function differ(holds: Holds): Operate {
  return (nodes, scope) => {
    const [one, other] = atLeastTwo(nodes);
    return !holds(evaluate(one, scope), evaluate(other, scope));
  };
}

/** Makes what says whether each value stands in an order to the next. */
function inOrder(holds: (order: number) => boolean): Operate {
  return (nodes, scope) => {
    const [first, ...others] = atLeastTwo(nodes);
    let before = evaluate(first, scope);
    return others.every((node) => {
      const found = evaluate(node, scope);
      const order = compare(before, found);
      before = found;
      return order !== undefined && holds(order);
    });
  };
}

function atLeastTwo(nodes: readonly Node[]): readonly [Node, Node, ...Node[]] {
  if (nodes.length < 2) {
    throw new LogicError("there is nothing to compare with");
  }
  return nodes as unknown as readonly [Node, Node, ...Node[]];
}

function isIn([what, where]: readonly Node[], scope: Scope): Data {
  if (!what || !where) {
    return false;
  }
  const [wanted, found] = [evaluate(what, scope), evaluate(where, scope)];
  if (typeof found === "string") {
    return typeof wanted === "string" && found.includes(wanted);
  }
  return isList(found) && found.some((one) => areSame(one, wanted));
}

function join(nodes: readonly Node[], scope: Scope): Data {
  const texts = each(nodes, scope).map((one) => (isList(one) ? one.map(textOfData).join("") : textOfData(one)));
  return texts.join("");
}

/** Cuts a part out of a text, by characters; places and lengths below 0 count from its end. */
function cut(nodes: readonly Node[], scope: Scope): Data {
  const [text, first, length] = each(nodes.slice(0, 3), scope);
  if (text === undefined) {
    return "";
  }
  const letters = Array.from(textOfData(text));
  const [from, count] = [wholeOf(first ?? null) ?? 0, wholeOf(length ?? null)];
  const begin = from < 0 ? Math.max(letters.length + from, 0) : from;
  const end = count !== undefined && count >= 0 ? begin + count : letters.length + (count ?? 0);
  return letters.slice(begin, Math.max(end, begin)).join("");
}

function merge(nodes: readonly Node[], scope: Scope): Data {
  return each(nodes, scope)
    .flat()
    .filter((one) => one !== null);
}

/** Says which paths lead nowhere; some may stand in a list. */
function missing(paths: readonly Data[], { data }: Scope): Data {
  const texts = paths.flat().filter((path) => typeof path === "string");
  return texts.filter((path) => follow(data, pathOf(path)) === undefined);
}

/** Says which paths lead nowhere, or none of them if enough lead somewhere. */
function missingSome([least, paths]: readonly Node[], scope: Scope): Data {
  if (!least || !paths) {
    return [];
  }
  const wanted = leastOf(least, scope);
  const found = evaluate(paths, scope);
  const texts = isList(found) ? found.filter((path) => typeof path === "string") : [];
  const away = missing(texts, scope) as readonly Data[];
  return texts.length - away.length >= wanted ? [] : away;
}

/** Says how many are enough. A number that is written down is rounded down; without one, it is 1. */
function leastOf(node: Node, scope: Scope): number {
  const found = evaluate(node, scope);
  if (node.kind === "value" && typeof found === "number") {
    return found > 0 ? Math.trunc(found) : 0;
  }
  return Math.max(wholeOf(found) ?? 1, 0);
}

/** Says what a loop goes through: a list, the values of an object, or nothing. */
function entriesOf(value: Data): readonly Data[] {
  return isList(value) ? value : isFields(value) ? Object.values(value) : [];
}

function withTwo(nodes: readonly Node[]): readonly [Node, Node] {
  const [one, other] = nodes;
  if (nodes.length !== 2 || !one || !other) {
    throw new LogicError("a loop has a list and what is done with each");
  }
  return [one, other];
}

function map(nodes: readonly Node[], scope: Scope): Data {
  const [list, body] = withTwo(nodes);
  const found = evaluate(list, scope);
  const all = typeof found === "object" ? entriesOf(found) : [found];
  return all.map((data) => evaluate(body, { root: scope.root, data }));
}

function filter(nodes: readonly Node[], scope: Scope): Data {
  const [list, body] = withTwo(nodes);
  const found = evaluate(list, scope);
  const fits = (data: Data): boolean => isTruthy(evaluate(body, { root: scope.root, data }));
  if (isList(found)) {
    const compared = comparedWithNull(body);
    // Where nothing is, the server compares nothing: not even with `null`.
    return found.filter((one) => (compared && follow(one, compared.path) === undefined ? !compared.isSame : fits(one)));
  }
  if (isFields(found)) {
    return Object.fromEntries(Object.entries(found).filter(([, one]) => fits(one)));
  }
  if (found !== null) {
    throw new LogicError("there is nothing to go through");
  }
  return [];
}

/** Says which field a condition compares with a `null` that is written down, if it is no more than that. */
function comparedWithNull(node: Node): { readonly path: readonly string[]; readonly isSame: boolean } | undefined {
  if (node.kind !== "operator" || (node.name !== "===" && node.name !== "!==") || node.nodes.length !== 2) {
    return undefined;
  }
  const field = node.nodes.find((one) => one.kind === "variable");
  const other = node.nodes.find((one) => one.kind === "value");
  if (!field || field.otherwise || other?.value !== null || field.path.length === 0 || isSlot(field.path)) {
    return undefined;
  }
  return { path: field.path, isSame: node.name === "===" };
}

function isSlot([first]: readonly string[]): boolean {
  return first === "current" || first === "accumulator";
}

function reduce(nodes: readonly Node[], scope: Scope): Data {
  const [list, body, begin] = nodes;
  if (!list || !body || nodes.length > 3) {
    throw new LogicError("`reduce` has a list, what is done with each, and where it begins");
  }
  const first = begin ? evaluate(begin, scope) : null;
  const found = evaluate(list, scope);
  const all = entriesOf(found);
  const next = isList(found) && isSum(body, all, first) ? withWholeAccumulator(body) : body;
  return all.reduce((accumulator, data) => evaluate(next, { root: scope.root, data, accumulator }), first);
}

/**
 * Whether a loop adds, subtracts or multiplies numbers, and nothing else: the server takes the accumulator as it is then,
 * whatever path into it is written down.
 */
function isSum(body: Node, all: readonly Data[], first: Data): boolean {
  if (body.kind !== "operator" || !["+", "-", "*"].includes(body.name) || body.nodes.length !== 2) {
    return false;
  }
  const variables = body.nodes.filter((node) => node.kind === "variable");
  const current = variables.find(({ path }) => path[0] === "current");
  if (!current || !variables.some(({ path }) => path[0] === "accumulator")) {
    return false;
  }
  const [, ...rest] = current.path;
  return typeof first === "number" && all.every((one) => typeof follow(one, rest) === "number");
}

function withWholeAccumulator(body: Node): Node {
  if (body.kind === "variable" && body.path[0] === "accumulator") {
    return { ...body, path: ["accumulator"] };
  }
  return body.kind === "operator" ? { ...body, nodes: body.nodes.map(withWholeAccumulator) } : body;
}

/** Whether a condition is nowhere `until`. Of no entries, it is as said. */
function isNowhere(nodes: readonly Node[], scope: Scope, is: { until: boolean; ofNone: boolean }): boolean {
  const [list, body] = withTwo(nodes);
  const all = entriesOf(evaluate(list, scope));
  const isThere = all.some((data) => isTruthy(evaluate(body, { root: scope.root, data })) === is.until);
  return all.length === 0 ? is.ofNone : !isThere;
}
