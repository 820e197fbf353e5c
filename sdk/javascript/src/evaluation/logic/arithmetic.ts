/** Arithmetic, as the server counts: texts may be numbers, `null` and an empty text are 0, and all else fails. */

import { evaluate, isWrittenList, type Node, type Operate, type Scope } from "./nodes.js";
import { type Data, isList, LogicError, numberOf, wholeOf } from "./values.js";

/** Makes one number of two. */
type Combine = (one: number, other: number) => number;

/** Operators by their names. */
export const ARITHMETIC: ReadonlyMap<string, Operate> = new Map<string, Operate>([
  ["+", addsUp((one, other) => one + other, 0)],
  ["*", addsUp((one, other) => one * other, 1)],
  ["-", subtract],
  ["/", divides((one, other) => one / other, false)],
  ["%", divides((one, other) => one % other, true)],
  ["min", best((one, than) => one < than, Number.POSITIVE_INFINITY)],
  ["max", best((one, than) => one > than, Number.NEGATIVE_INFINITY)],
]);

function numeric(value: Data): number {
  const found = numberOf(value);
  if (found === undefined) {
    throw new LogicError("it is no number");
  }
  return found;
}

/** Says what an operator is asked about, and the list that its only argument may be. */
function asked(nodes: readonly Node[], scope: Scope): { readonly all: readonly Data[]; readonly isList: boolean } {
  const all = nodes.map((node) => evaluate(node, scope));
  const [only] = all;
  return all.length === 1 && only !== undefined && isList(only) ? { all: only, isList: true } : { all, isList: false };
}

/** Takes no list that is written down as its only argument: whoever wrote it meant something else. */
function refuseList(nodes: readonly Node[]): void {
  if (nodes.length === 1 && isWrittenList(nodes[0])) {
    throw new LogicError("a list is no number");
  }
}

/** Combines numbers one after the other. Zero has no sign. */
function fold(all: readonly number[], combine: Combine, first: number): number {
  return all.reduce(combine, first) + 0;
}

function addsUp(combine: Combine, first: number): Operate {
  return (nodes, scope) => {
    refuseList(nodes);
    return fold(asked(nodes, scope).all.map(numeric), combine, first);
  };
}

function subtract(nodes: readonly Node[], scope: Scope): Data {
  const { all, isList } = asked(nodes, scope);
  const [first, ...others] = all.map(numeric);
  if (first === undefined) {
    throw new LogicError("there is nothing to subtract from");
  }
  return others.length === 0 && !isList ? 0 - first : fold(others, (one, other) => one - other, first);
}

/** Makes division, or what is left of it. */
function divides(combine: Combine, isRest: boolean): Operate {
  return (nodes, scope) => {
    const [node] = nodes;
    if (!node || nodes.length > 1) {
      return divide(inTurn(nodes, scope), combine, nodes.length);
    }
    const only = evaluate(node, scope);
    if (isList(only)) {
      return divide(only, combine, isRest ? only.length : only.length + 1);
    }
    const by = numeric(only);
    if (isRest || by === 0) {
      throw new LogicError("there is nothing to divide");
    }
    return 1 / by + 0;
  };
}

function* inTurn(nodes: readonly Node[], scope: Scope): Iterable<Data> {
  for (const node of nodes) {
    yield evaluate(node, scope);
  }
}

/**
 * Divides one after the other, at least two; nothing behind a 0 is looked at. By it a whole number fails, and all else is
 * as large as a number can be.
 */
function divide(values: Iterable<Data>, combine: Combine, count: number): number {
  if (count < 2) {
    throw new LogicError("there is nothing to divide");
  }
  let divided: Data | undefined;
  let found = 0;
  for (const value of values) {
    const by = numeric(value);
    if (by === 0 && divided !== undefined) {
      if (wholeOf(divided) !== undefined && wholeOf(value) !== undefined) {
        throw new LogicError("nothing is divided by 0");
      }
      return found > 0 ? Number.MAX_VALUE : found < 0 ? -Number.MAX_VALUE : 0;
    }
    found = divided === undefined ? by : combine(found, by);
    divided = divided === undefined ? value : found;
  }
  return found + 0;
}

/** Makes what says the least or the greatest of numbers; here nothing else counts as one. */
function best(isBetter: (one: number, than: number) => boolean, worst: number): Operate {
  return (nodes, scope) => {
    refuseList(nodes);
    const { all, isList } = asked(nodes, scope);
    if (all.length === 0 || !all.every((one) => typeof one === "number")) {
      throw new LogicError("it has numbers, and nothing else");
    }
    if (all.length === 1 && !isList) {
      return all[0] ?? null;
    }
    let found: Data = null;
    for (const one of all) {
      if (isBetter(one, typeof found === "number" ? found : worst)) {
        found = one;
      }
    }
    return found;
  };
}
