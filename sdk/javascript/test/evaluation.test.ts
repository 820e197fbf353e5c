/** What the engine here promises beyond the vectors: one broken flag breaks no other, and patterns end soon. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { compile } from "../src/evaluation/compiling.js";
import { Pattern } from "../src/evaluation/patterns/pattern.js";
import { PatternError } from "../src/evaluation/patterns/syntax.js";
import { sha1 } from "../src/evaluation/sha1.js";

function flag(rest: object = {}): object {
  return { variants: { on: true, off: false }, off: "off", otherwise: { serve: "on" }, ...rest };
}

function needs(key: string): object {
  return flag({ prerequisites: [{ flag: key, variants: ["on"] }] });
}

function codes(definitions: unknown): Record<string, string> {
  return Object.fromEntries(compile(definitions).problems.map(({ pointer, code }) => [pointer, code]));
}

test("a broken flag leaves others alone", () => {
  const flags = compile({ flags: { good: flag(), broken: flag({ off: "none" }), none: null } });
  assert.deepEqual(flags.keys(), ["good"]);
  assert.equal(flags.evaluate("broken", { attributes: new Map(), nowMicros: 0 }), undefined);
  assert.ok(flags.problems.some(({ pointer }) => pointer === "/flags/broken/off"));
});

test("what needs a broken flag is left out as well", () => {
  const byRule = flag({ rules: [{ serve: "off" }, { requires: [{ flag: "c", variants: ["off"] }], serve: "off" }] });
  const definitions = { flags: { a: needs("b"), b: needs("c"), c: flag({ off: "none" }), d: flag(), e: byRule } };
  assert.deepEqual(compile(definitions).keys(), ["d"]);
  assert.deepEqual(codes(definitions), {
    "/flags/c/off": "variant_unknown",
    "/flags/b/prerequisites/0/flag": "flag_unusable",
    "/flags/a/prerequisites/0/flag": "flag_unusable",
    "/flags/e/rules/1/requires/0/flag": "flag_unusable",
  });
});

test("what needs a broken segment is left out as well", () => {
  const inner = { attribute: "a", op: "sounds_like", values: ["x"] };
  const definitions = {
    flags: { a: flag({ rules: [{ when: { not: { segment: "outer" } }, serve: "off" }] }), b: flag() },
    segments: { outer: { when: { segment: "inner" } }, inner: { when: inner } },
  };
  assert.deepEqual(compile(definitions).keys(), ["b"]);
  assert.equal(codes(definitions)["/flags/a/rules/0/when/not/segment"], "segment_unusable");
});

test("what is not known here is not guessed", () => {
  const split = { split: { on: 100 }, by: "user_id", bucketing: "another" };
  const gates = [{ key: "k", by: "u", parts: [], salt: "x" }];
  const rollout = { serve: "on", others: "off", steps: [{ at: "2026-12-01T00:00:00Z", percent: 5 }] };
  const [gate, kept] = [{ key: "k", by: "u", parts: [] }, { parts: [], split: { on: 100 }, from: "2026" }];
  const during = { from: "2026-12-01T00:00:00Z", every: "day" };
  const buckets = { key: "k", parts: [{ weight: 1, serve: "on" }] };
  const table: Record<string, object> = {
    "/flags/a/sticky": flag({ sticky: true }),
    "/flags/a/otherwise/logic": flag({ otherwise: { logic: { var: "variant" }, serve: "on" } }),
    "/flags/a/rules/0/gates/0/dialect": flag({ rules: [{ gates: [{ ...gate, dialect: "statsig" }], serve: "on" }] }),
    "/flags/a/rules/0/when/during/every": flag({ rules: [{ when: { during }, serve: "on" }] }),
    "/flags/a/rules/0/when/during/until": flag({ rules: [{ when: { during: { until: 5 } }, serve: "on" }] }),
    "/flags/a/otherwise/buckets/dialect": flag({ otherwise: { buckets: { ...buckets, dialect: "statsig" }, by: "u" } }),
    "/flags/a/otherwise/buckets/salt": flag({ otherwise: { buckets: { ...buckets, salt: "x" }, by: "u" } }),
    "/flags/a/otherwise/buckets/key": flag({ otherwise: { buckets: { parts: buckets.parts }, by: "u" } }),
    "/flags/a/otherwise/buckets/parts/1/weight": flag({
      otherwise: { buckets: { ...buckets, parts: [...buckets.parts, { weight: 0.5, serve: "on" }] }, by: "u" },
    }),
    "/flags/a/otherwise/bucketing": flag({ otherwise: split }),
    "/flags/a/rules/0/gates/0/salt": flag({ rules: [{ gates, serve: "on" }] }),
    "/flags/a/rules/0/when/op": flag({ rules: [{ when: { attribute: "a", op: "near" }, serve: "on" }] }),
    "/flags/a/rules/0/when/none": flag({ rules: [{ when: { all: [], none: [] }, serve: "on" }] }),
    "/flags/a/enabled": flag({ enabled: "yes" }),
    "/flags/a/otherwise/rollout/pace": flag({ otherwise: { rollout: { ...rollout, pace: 1 }, by: "user_id" } }),
    "/flags/a/otherwise/rollout/smooth": flag({ otherwise: { rollout: { ...rollout, smooth: 1 }, by: "user_id" } }),
    "/flags/a/otherwise/rollout/steps/0/at": flag({ otherwise: { rollout: { ...rollout, steps: [{ percent: 1 }] }, by: "u" } }),
    "/flags/a/otherwise/or_by/0": flag({ otherwise: { split: { on: 100 }, by: "user_id", or_by: [1] } }),
    "/flags/a/rules/0/kept/0/from": flag({ rules: [{ split: { on: 100 }, by: "u", gates: [gate], kept: [kept] }] }),
    "/flags/a/version": flag({ version: -1 }),
    "/flags/a/rules": flag({ rules: {} }),
    "/flags/a/overrides/0/values/0": flag({ overrides: [{ by: "a", values: [1], serve: "on" }] }),
  };
  for (const [place, wrong] of Object.entries(table)) {
    assert.deepEqual(codes({ flags: { a: wrong } }), { [place]: "definition_invalid" });
  }
});

test("SHA-1 is that of everybody else, at each length around a block", () => {
  for (let length = 0; length < 200; length++) {
    const bytes = new Uint8Array(length).map((_, place) => (place * 37 + length) & 255);
    const hash = sha1(bytes).map((word) => word.toString(16).padStart(8, "0")).join("");
    assert.equal(hash, createHash("sha1").update(bytes).digest("hex"), `${length}`);
  }
});

test("a moment between two microseconds makes no roll-out fail", () => {
  const steps = [
    { at: "2026-12-01T00:00:00Z", percent: 0 },
    { at: "2026-12-02T00:00:00Z", percent: 100 },
  ];
  const rollout = { serve: "on", others: "off", steps, smooth: true };
  const flags = compile({ flags: { a: flag({ otherwise: { rollout, by: "user_id" } }) } });
  const at = (nowMicros: number) => flags.evaluate("a", { attributes: new Map([["user_id", "1"]]), nowMicros })?.variant;
  assert.equal(at(Date.parse("2026-12-01T00:00:00Z") * 1000 + 0.5), "off");
  assert.equal(at(Date.parse("2026-12-01T23:59:59.999Z") * 1000 + 0.5), "on");
});

test("logic has no more values than the server takes", () => {
  const logic = { in: [1, Array(50_000).fill(1)] };
  assert.deepEqual(codes({ flags: { a: flag({ rules: [{ logic }] }) } }), { "/flags/a/rules/0/logic/in/1/49997": "too_large" });
});

test("names that every object has are names like others to logic", () => {
  const logic = { cat: [{ var: "__proto__.toString" }, { var: "constructor.name" }, { var: "user_id.length" }] };
  const variants = { xy: true, off: false };
  const flags = compile({ flags: { a: flag({ variants, rules: [{ logic }], otherwise: { serve: "off" } }) } });
  const attributes = new Map([["__proto__.toString", "x"], ["constructor.name", "y"], ["user_id", "1"]]);
  assert.equal(flags.evaluate("a", { attributes, nowMicros: 0 })?.variant, "xy");
});

test("definitions of any form throw nothing", () => {
  for (const wrong of [null, [], 1, { flags: [] }, { segments: 7 }, { flags: { a: [] } }, { flags: { a: flag({ x: 1 }) } }]) {
    assert.ok(compile(wrong).problems.length > 0, JSON.stringify(wrong));
  }
});

test("names that every object has are names like others", () => {
  const definitions = JSON.parse(`{"flags": {"__proto__": ${JSON.stringify(flag())}, "a": ${JSON.stringify(needs("toString"))}}}`);
  assert.deepEqual(compile(definitions).keys(), ["__proto__"]);
  assert.deepEqual(codes(definitions), { "/flags/a/prerequisites/0/flag": "flag_unknown" });
});

test("no pattern takes more than a walk along the text", () => {
  // An engine that goes back would take more than the age of the universe.
  assert.equal(new Pattern("^(a+)+$").isIn(`${"a".repeat(5000)}!`), false);
  assert.equal(new Pattern("(x*)*(x*)*(x*)*y").isIn("x".repeat(2000)), false);
});

test("what would be large or deep is refused", () => {
  const deep = `${"[".repeat(60)}a${"]".repeat(60)}`;
  for (const pattern of ["(((a{100}){100}){100})", "(".repeat(51) + ")".repeat(51), deep, "a".repeat(10_001)]) {
    assert.throws(() => new Pattern(pattern), PatternError);
  }
});

test("what few languages have is refused", () => {
  for (const pattern of ["[a-z&&b]", "[a--b]", "[a~~b]", "\\p{Greek}", "(?x) a", "(?R)a", "(?-u)a"]) {
    assert.throws(() => new Pattern(pattern), PatternError, pattern);
  }
});
