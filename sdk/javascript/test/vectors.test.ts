/** The vectors that the server's engine is held to as well. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Bucketing, Shares } from "../src/evaluation/bucketing.js";
import { compile } from "../src/evaluation/compiling.js";
import type { Flags } from "../src/evaluation/flags.js";
import { apply, type Data, LogicError } from "../src/evaluation/logic.js";
import { moment } from "../src/evaluation/moments.js";
import type { Subject } from "../src/evaluation/subject.js";
import type { Value } from "../src/evaluation/texts.js";

const NOW = "2026-11-22T10:00:00Z";
/** What this implementation has of that which a suite may need. */
const HAS: readonly string[] = [];
/** What is said of a definition that is fine by itself, but needs a broken one. */
const FOLLOWS = ["flag_unusable", "segment_unusable"];

interface Buckets {
  hashes: { key: string; unit: string; hash: number }[];
  places: { weights: number[]; hash: number; place: number }[];
}
interface Condition {
  op: string;
  values: string[];
  ignore_case?: boolean;
  text_only?: boolean;
  short?: boolean;
  fits: Value[];
  fits_not: Value[];
}
interface Case {
  flag: string;
  attributes: Record<string, Value>;
  now?: string;
  variant: string;
  value: unknown;
  reason: string;
  rule: string | null;
  by?: string;
}
interface Suite {
  name: string;
  needs?: string[];
  definitions: unknown;
  cases: Case[];
}
/** A case of flags that put units in order as other products do. */
interface Dialects {
  cases: { flag: unknown; known: Record<string, string>; at?: string; variant: string; reason: string }[];
  refused: Refused[];
}
/** Rules that are JSONLogic. */
interface Logic {
  cases: { logic: unknown; data: unknown; result?: Data; error?: true }[];
  suites: Suite[];
  refused: Refused[];
}
interface Refused {
  flags: unknown;
  segments?: unknown;
  pointer: string;
  code: string;
}

function vectors<T>(name: string): T {
  // The tests run from `build/test`.
  const place = new URL(`../../../../spec/eval/${name}`, import.meta.url);
  return JSON.parse(readFileSync(place, "utf8")) as T;
}

function subject(attributes: Record<string, Value>, at = NOW): Subject {
  const nowMicros = moment(at);
  assert.ok(nowMicros !== undefined, at);
  return { attributes: new Map(Object.entries(attributes)), nowMicros };
}

function flagThatTests({ op, values, ignore_case = false, text_only = false, short = false }: Condition): Flags {
  const rules = [{ when: { attribute: "a", op, values, ignore_case, text_only, short }, serve: "yes" }];
  const flag = { variants: { yes: true, no: false }, off: "no", rules, otherwise: { serve: "no" } };
  return compile({ flags: { flag } });
}

test("units and shares are where the vectors say", () => {
  const { hashes, places } = vectors<Buckets>("buckets.json");
  assert.ok(hashes.length > 50 && places.length > 50);
  for (const { key, unit, hash } of hashes) {
    assert.equal(new Bucketing(key).of(unit), hash, `${key} ${unit}`);
  }
  for (const { weights, hash, place } of places) {
    assert.equal(new Shares(weights).place(hash), place, `${weights} ${hash}`);
  }
});

test("each comparison fits what it says", () => {
  const { cases } = vectors<{ cases: Condition[] }>("conditions.json");
  assert.ok(cases.length > 140);
  const wrong: string[] = [];
  for (const one of cases) {
    const flags = flagThatTests(one);
    assert.deepEqual(flags.problems, []);
    const check = (attributes: Record<string, Value>, expected: boolean): void => {
      if (flags.evaluate("flag", subject(attributes))?.value !== expected) {
        wrong.push(`${one.op} ${JSON.stringify(one.values)}: ${JSON.stringify(attributes)} is not ${expected}`);
      }
    };
    one.fits.forEach((a) => check({ a }, true));
    one.fits_not.forEach((a) => check({ a }, false));
    check({}, one.op === "not_in" || one.op === "is_absent");
  }
  assert.deepEqual(wrong, []);
});

/** Asks what suites ask; says how much that is. */
function ask(suites: readonly Suite[]): number {
  let asked = 0;
  for (const suite of suites) {
    if (suite.needs?.some((need) => !HAS.includes(need))) {
      continue;
    }
    const flags = compile(suite.definitions);
    assert.deepEqual(flags.problems, [], suite.name);
    for (const one of suite.cases) {
      const found = flags.evaluate(one.flag, subject(one.attributes, one.now));
      assert.ok(found, one.flag);
      const { variant, value, reason, rule, by } = found;
      const told = { ...one, variant, value, reason, rule, ...(by !== undefined && { by }) };
      assert.deepEqual(told, one, suite.name);
      asked++;
    }
  }
  return asked;
}

test("evaluations are what the vectors say", () => {
  assert.ok(ask(vectors<{ suites: Suite[] }>("evaluations.json").suites) > 300);
});

test("logic gives what the vectors say", () => {
  const { cases, suites } = vectors<Logic>("logic.json");
  assert.ok(cases.length > 900);
  for (const { logic, data, result, error } of cases) {
    const said = JSON.stringify({ logic, data });
    if (error) {
      assert.throws(() => apply(logic, data), LogicError, said);
    } else {
      assert.deepEqual(apply(logic, data), result, said);
    }
  }
  assert.ok(ask(suites) > 150);
});

test("units stand where they stand with other products", () => {
  const { cases } = vectors<Dialects>("dialects.json");
  assert.ok(cases.length > 40);
  for (const { flag, known, at, variant, reason } of cases) {
    const flags = compile({ flags: { flag } });
    assert.deepEqual(flags.problems, []);
    const found = flags.evaluate("flag", subject(known, at));
    assert.deepEqual([found?.variant, found?.reason], [variant, reason], JSON.stringify({ flag, known }));
  }
});

test("what is wrong is named with its place", () => {
  const { cases } = vectors<{ cases: Refused[] }>("refused.json");
  const { refused } = vectors<Dialects>("dialects.json");
  const { refused: logic } = vectors<Logic>("logic.json");
  assert.ok(cases.length > 100 && refused.length > 8 && logic.length > 50);
  for (const { flags: sources, segments = {}, pointer, code } of [...cases, ...refused, ...logic]) {
    const flags = compile({ flags: sources, segments });
    const own = flags.problems.filter((problem) => !FOLLOWS.includes(problem.code));
    assert.deepEqual(
      own.map((problem) => [problem.pointer, problem.code]),
      [[pointer, code]],
    );
    // Whatever is wrong with it leads to no flag.
    assert.deepEqual(
      flags.keys().filter((key) => pointer.startsWith(`/flags/${key}/`)),
      [],
    );
  }
});
