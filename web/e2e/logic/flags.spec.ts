import { expect, test } from "@playwright/test";
import { type Targeting, attributesOf, given, isSerious, shareOf, shared, variantsPatch } from "../../console/src/flags/model";
import { following, isGrowing, rolledOut, shareAt, splitUp } from "../../console/src/flags/rollout";
import { isTargeting } from "../../console/src/flags/shape";
import { python, snippetsOf } from "../../console/src/flags/snippets";
import { pageOf } from "../../console/src/flags/page-of";
import { environmentsIn, linesOf } from "../../console/src/flags/use";
import { valuesOf } from "../../console/src/flags/variants";
import { conditionInWords, gateInWords, glance, listed, outcomeInWords, rolloutNow, testInWords } from "../../console/src/flags/words";
import { placeOf, placeOfMistake } from "../../ui/src/json-places";

const targeting = (change: Partial<Targeting>): Targeting => ({ off: "off", otherwise: { serve: "off" }, ...change });
const rows = (text: string) => [{ name: "on", text }];
const boolean = { variants: { on: true, off: false } as unknown as Record<string, never> };

test("a flag's state is said in two or three words", () => {
  const rule = { serve: "on" };
  const cases: [Partial<Targeting>, string][] = [
    [{}, "Nobody"],
    [{ enabled: false, otherwise: { serve: "on" } }, "Off"],
    [{ otherwise: { serve: "on" } }, "All: on"],
    [{ otherwise: { split: { on: 12.5, off: 87.5 }, by: "user_id" } }, "12.5 % on"],
    [{ otherwise: { split: { on: 0, off: 100 }, by: "user_id" } }, "Nobody"],
    [{ otherwise: { split: { a: 20, b: 30, off: 50 }, by: "user_id" } }, "Split of 3"],
    [{ rules: [rule] }, "1 rule"],
    [{ rules: [rule, rule], otherwise: { serve: "on" } }, "2 rules, else on"],
    [{ overrides: [{ by: "user_id", values: ["1"], serve: "on" }] }, "Overrides"],
  ];
  for (const [change, text] of cases) expect(glance(targeting(change)).text).toBe(text);
});

test("conditions and what they give are sentences", () => {
  expect(listed([])).toBe("nothing");
  expect(listed(["a"])).toBe("`a`");
  expect(listed(["a", "b", "c"])).toBe("`a`, `b` or `c`");
  expect(listed(Array.from({ length: 10 }, (_, place) => String(place)))).toBe("`0`, `1`, `2`, `3`, `4`, `5`, `6`, `7` or 2 more");
  expect(testInWords({ attribute: "email", op: "is_absent" })).toBe("`email` is not known");
  expect(testInWords({ attribute: "country", op: "in", values: ["DE", "FR"], ignore_case: true })).toBe("`country` is one of `DE` or `FR`, in capitals or not");
  const age = { attribute: "age", op: "gte", values: ["18"] } as const;
  const staff = { attribute: "staff", op: "is_present" } as const;
  expect(conditionInWords({ any: [{ all: [{ ...age, values: ["18"] }, staff] }, { not: staff }] })).toBe("(`age` ≥ number `18` and `staff` is known) or not `staff` is known");
  expect(testInWords({ ...staff, text_only: true })).toBe("the text `staff` is known");
  expect(gateInWords({ key: "a", by: "b", dialect: "launchdarkly", parts: [[0, 10], [20, 30]] })).toBe("the part 0 % to 10 %, 20 % to 30 % of all in `a`, by `b`, in the order of LaunchDarkly");
  expect(conditionInWords(undefined)).toBe("everybody");
  expect(conditionInWords({ any: [] })).toBe("nobody");
  expect(outcomeInWords({ split: { off: 90, on: 10, never: 0 }, by: "user_id" })).toBe("90 % `off`, 10 % `on`, by `user_id`");
});

const steps = [
  { at: "2026-12-01T00:00:00Z", percent: 5 },
  { at: "2026-12-02T00:00:00Z", percent: 50 },
];
const rollout = { serve: "on", others: "off", steps };

test("a share that grows is what it is at a moment", () => {
  const at = (moment: string, change: object = {}) => shareAt({ ...rollout, ...change }, Date.parse(moment));
  expect([at("2026-11-30T23:59:59Z"), at("2026-12-01T00:00:00Z"), at("2026-12-01T12:00:00Z"), at("2027-01-01T00:00:00Z")]).toEqual([0, 5, 5, 50]);
  expect(at("2026-11-30T00:00:00Z", { start: 2.5 })).toBe(2.5);
  expect(at("2026-12-01T12:00:00Z", { smooth: true })).toBe(27.5);
  expect([isGrowing(rollout, Date.parse("2026-12-01T12:00:00Z")), isGrowing(rollout, Date.parse("2026-12-02T00:00:00Z"))]).toEqual([true, false]);
  expect(following(rollout)).toEqual({ at: "2026-12-03T00:00:00.000Z", percent: 100 });
  expect(following({ steps: [] }, Date.parse("2026-12-01T10:20:30Z"))).toEqual({ at: "2026-12-02T10:00:00.000Z", percent: 10 });
});

test("a share that grows begins with what people have, and ends with it", () => {
  const choices = { off: "off", names: ["off", "on"] };
  const tenth = { split: { on: 10, off: 90 }, by: "device", or_by: ["user_id"] };
  expect(rolledOut(tenth, choices)).toMatchObject({ rollout: { serve: "on", others: "off", start: 10 }, by: "device", or_by: ["user_id"] });
  expect(rolledOut({ serve: "on" }, choices)).toMatchObject({ rollout: { serve: "on", start: 100 }, by: "user_id" });
  expect(rolledOut({ serve: "off" }, choices).rollout).toMatchObject({ serve: "on", others: "off" });
  const over = [{ at: "2020-01-01T00:00:00Z", percent: 33.3 }];
  expect(splitUp({ rollout: { ...rollout, steps: over }, by: "device" }, "off")).toEqual({ split: { on: 33.3, off: 66.7 }, by: "device" });
  expect(splitUp({ serve: "on" }, "off")).toEqual({ split: { on: 100 }, by: "user_id" });
});

test("a share that grows is said in words and can be shown", () => {
  expect(outcomeInWords({ rollout, by: "user_id" })).toBe(
    "`on` for 0 %, for 5 % from `2026-12-01T00:00:00Z`, for 50 % from `2026-12-02T00:00:00Z`, else `off`, by `user_id`",
  );
  expect(outcomeInWords({ rollout: { ...rollout, start: 1, smooth: true, steps: [...steps, ...steps] } })).toBe(
    "`on` for 1 %, growing to 5 % at `2026-12-01T00:00:00Z`, growing to 50 % at `2026-12-02T00:00:00Z`, growing to 5 % at `2026-12-01T00:00:00Z`, 1 more, else `off`",
  );
  const [past, future] = ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"];
  const growing = (moments: string[]) => targeting({ otherwise: { rollout: { ...rollout, steps: moments.map((at) => ({ at, percent: 5 })) }, by: "user_id" } });
  expect([glance(growing([past])).text, glance(growing([past, future])).text, glance(growing([future])).text]).toEqual(["5 % on", "5 % on, by schedule", "0 % on, by schedule"]);
  expect(shareOf(boolean, growing([past]))).toBeUndefined();
  expect(isTargeting(growing([past]))).toBe(true);
  expect(isTargeting(targeting({ otherwise: { rollout: { ...rollout, pace: 1 } as never } }))).toBe(false);
  const rule = { name: "exp", sticky: true, split: { on: 100 }, by: "user_id", kept: [{ parts: [[0, 30]], split: { off: 100 } }] } as never;
  expect(isTargeting(targeting({ rules: [rule] }))).toBe(true);
  expect(isTargeting(targeting({ rules: [{ serve: "on", kept: [{ parts: [[0]], split: {} }] } as never] }))).toBe(false);
});

test("a simple share is read and written", () => {
  const tenth = targeting({ otherwise: { split: { on: 10, off: 90 }, by: "device" } });
  expect(shareOf(boolean, tenth)).toEqual({ variant: "on", percent: 10 });
  expect(shareOf(boolean, targeting({ otherwise: { serve: "on" } }))).toEqual({ variant: "on", percent: 100 });
  expect(shareOf({ variants: { a: 1, b: 2, off: 3 } as unknown as Record<string, never> }, targeting({}))).toBeUndefined();
  expect(shared(tenth, "on", 33.3)).toEqual({ split: { on: 33.3, off: 66.7 }, by: "device" });
  expect(shared(targeting({}), "on", 0)).toEqual({ serve: "off" });
  const usual = targeting({ otherwise: { split: { on: 10, off: 90 }, by: "user_id" } });
  expect([shared(usual, "on", 100), shared(usual, "on", 0)]).toEqual([{ serve: "on" }, { serve: "off" }]);
  // What it goes by is kept for the next share.
  for (const units of [{ by: "device" }, { by: "user_id", or_by: ["device"] }]) {
    const own = targeting({ otherwise: { split: { on: 10, off: 90 }, ...units } });
    const [all, nobody] = [shared(own, "on", 100), shared(own, "on", 0)];
    expect([all, nobody]).toEqual([{ split: { on: 100 }, ...units }, { split: { off: 100 }, ...units }]);
    for (const [otherwise, percent, said] of [[all, 100, "100 % on"], [nobody, 0, "Nobody"]] as const) {
      expect(shareOf(boolean, targeting({ otherwise }))).toEqual({ variant: "on", percent });
      expect(glance(targeting({ otherwise })).text).toBe(said);
      expect(shared(targeting({ otherwise }), "on", 50)).toEqual({ split: { on: 50, off: 50 }, ...units });
    }
  }
  expect(given({ a: 33.3, b: 33.3, c: 33.4 })).toBe(100);
});

test("units that are known by one of several attributes are said, kept and shown", () => {
  const units = { by: "anonymous_id", or_by: ["user_id", "session_id"] };
  const split = { on: 10, off: 90 };
  const words = "by `anonymous_id`, else by `user_id`, else by `session_id`";
  expect(outcomeInWords({ split, ...units })).toBe(`90 % \`off\`, 10 % \`on\`, ${words}`);
  expect(rolloutNow(rollout, units, Date.parse("2026-12-01T00:00:00Z"))).toBe(`5 % \`on\`, else \`off\`, ${words}`);
  const all = targeting({ rules: [{ gates: [{ key: "layer", ...units, parts: [[0, 50]] }], split, by: "device", or_by: ["email"] }], otherwise: { split, ...units } });
  expect(isTargeting(all)).toBe(true);
  expect(isTargeting(targeting({ otherwise: { split, by: "a", or_by: "b" } as never }))).toBe(false);
  expect(attributesOf(all)).toEqual(["anonymous_id", "user_id", "session_id", "device", "email"]);
  expect(shared(all, "on", 20)).toEqual({ split: { on: 20, off: 80 }, ...units });
  expect([rolledOut({ split, ...units }, { off: "off", names: ["on", "off"] }), splitUp({ rollout, ...units }, "off")]).toMatchObject([units, units]);
});

test("attributes are found wherever an answer depends on them", () => {
  const rules: Targeting["rules"] = [
    { when: { all: [{ attribute: "country", op: "is_present" }, { not: { attribute: "plan", op: "is_present" } }] }, gates: [{ key: "g", by: "device", parts: [[0, 50]] }], serve: "on" },
  ];
  const all = targeting({ overrides: [{ by: "company", values: [], serve: "on" }], rules, otherwise: { split: { on: 100 }, by: "country" } });
  expect(attributesOf(all)).toEqual(["company", "country", "plan", "device"]);
  expect([isSerious("production"), isSerious("eu"), isSerious("sandbox"), isSerious("staging-2")]).toEqual([true, true, false, false]);
});

test("what cannot be said in a merge patch is found before it is sent", () => {
  const before = { a: { x: 1, y: 2 }, b: null, c: 3 };
  expect(variantsPatch(before, { a: { x: 1 }, b: null, c: 3 })).toEqual({ patch: { a: { y: null } }, impossible: [] });
  expect(variantsPatch(before, { a: { x: 1, y: 2 }, b: null, d: 4 })).toEqual({ patch: { c: null, d: 4 }, impossible: [] });
  expect(variantsPatch(before, { ...before, c: { inside: [null] }, d: null }).impossible).toEqual(["c", "d"]);
});

test("values are read by the flag's type", () => {
  expect(valuesOf(rows(" 1 "), "string")).toEqual({ on: " 1 " });
  expect(valuesOf(rows("1,000"), "number")).toEqual({ on: 1000 });
  expect(valuesOf(rows("ten"), "number")).toEqual({ on: "ten" });
  expect(valuesOf(rows('{"a": null}'), "json")).toEqual({ on: { a: null } });
  expect(() => valuesOf(rows("{a"), "json")).toThrow(/This is not JSON/);
  expect(() => valuesOf([...rows("1"), ...rows("2")], "number")).toThrow(/two variants/);
});

test("the form shows JSON only if it can show all of it", () => {
  const good: unknown[] = [
    targeting({}),
    targeting({ enabled: false, prerequisites: [{ flag: "a", variants: ["on"] }], rules: [{ when: { not: { segment: "beta" } }, split: { on: 1 }, by: "user_id" }] }),
    targeting({ rules: [{ when: { attribute: "v", op: "semver_gte", values: ["2"], short: true }, serve: "on" }] }),
    targeting({ rules: [{ when: { not: { share: { key: "k", by: "a", or_by: ["b"], dialect: "launchdarkly", parts: [[0, 5]] } } }, serve: "on" }] }),
    targeting({ rules: [{ when: { element: "tags", fits: { not: { attribute: "tags", op: "starts_with", values: ["a"] } } }, serve: "on" }] }),
    targeting({ rules: [{ requires: [{ flag: "a", variants: ["on"] }], serve: "on" }] }),
    targeting({ rules: [{ when: { any: [{ during: { from: "2026-01-01T00:00:00Z" } }, { attribute: "a", op: "in", values: [], text_only: true }] }, logic: { var: "a" } as never }] }),
    targeting({ rules: [{ gates: [{ key: "g", by: "a", dialect: "unleash", parts: [[0, 1]] }], buckets: { dialect: "unleash", key: "k", parts: [{ weight: 1, serve: "on" }, { weight: 2 }] }, by: "a" }] }),
  ];
  const bad: unknown[] = [
    null,
    [],
    { off: "off" },
    { ...targeting({}), more: 1 },
    { ...targeting({}), rules: {} },
    { ...targeting({}), rules: [{ serve: "on", colour: "red" }] },
    { ...targeting({}), rules: [{ when: { attribute: "a", op: "sounds_like" }, serve: "on" }] },
    { ...targeting({}), rules: [{ when: { all: [], any: [] }, serve: "on" }] },
    { ...targeting({}), rules: [{ when: { not: 5 }, serve: "on" }] },
    { ...targeting({}), rules: [{ when: { during: { since: "2026-01-01T00:00:00Z" } }, serve: "on" }] },
    { ...targeting({}), rules: [{ gates: [{ key: "g", by: "a", dialect: "other", parts: [[0, 1]] }], serve: "on" }] },
    { ...targeting({}), otherwise: { buckets: { key: "k", parts: [{ serve: "on" }] }, by: "a" } },
    { ...targeting({}), rules: [{ when: { share: { key: "k", parts: [[0, 5]] } }, serve: "on" }] },
    { ...targeting({}), rules: [{ when: { element: "tags", fits: { attribute: "tags", op: "sounds_like" } }, serve: "on" }] },
    { ...targeting({}), rules: [{ requires: [{ flag: "a", variants: ["on"], gate: true }], serve: "on" }] },
    { ...targeting({}), otherwise: { split: { on: [1] } } },
  ];
  expect(good.map(isTargeting)).toEqual(good.map(() => true));
  expect(bad.map(isTargeting)).toEqual(bad.map(() => false));
});

test("what is wrong is marked where it stands in the JSON", () => {
  const text = `{\n  "a/b": [1, "}\\"", {"c": null}],\n  "d": {}\n}`;
  expect(placeOf(text, "")).toEqual({ line: 1, column: 1 });
  expect(placeOf(text, "/a~1b/2/c")).toEqual({ line: 2, column: 27 });
  expect(placeOf(text, "/d")).toEqual({ line: 3, column: 8 });
  expect(placeOf(text, "/d/not/there")).toEqual({ line: 3, column: 8 });
  expect(placeOfMistake("Unexpected token (line 3 column 2)", text)).toEqual({ line: 3, column: 2 });
  expect(placeOfMistake("Unexpected token at position 4", text)).toEqual({ line: 2, column: 3 });
});

test("snippets ask for the flag with its own type", () => {
  const flag = { key: "limits", type: "json" as const, variants: { off: { a: [true, null] } } as unknown as Record<string, never>, environments: {} };
  const [curl, node, py] = snippetsOf(flag, "https://gateline.example").map(([, text]) => text);
  expect(curl).toContain("https://gateline.example/api/v1/feature-flags/limits/evaluate?");
  expect(node).toContain('getObjectValue("limits", {"a":[true,null]}');
  expect(py).toContain('get_object_value("limits", {"a": [True, None]}');
  expect(python("it's")).toBe(`"it's"`);
});

const day = (date: string, variant: string, count: number, environment = "production") => ({ day: `${date}T00:00:00Z`, environment, variant, count, last_at: `${date}T01:00:00Z` });

test("evaluations are a line for each variant, over days without any as well", () => {
  const counts = [day("2026-11-20", "on", 3), day("2026-11-22", "on", 4), day("2026-11-22", "off", 5), day("2026-11-22", "off", 100, "sandbox")];
  const answer = { flag_id: "flg_1", from: "2026-11-20T10:00:00Z", to: "2026-11-22T18:00:00Z", counts };
  expect(environmentsIn(counts)).toEqual(["production", "sandbox"]);
  const { at, lines, sum } = linesOf(answer, "production");
  expect(at).toHaveLength(3);
  expect(lines.map(({ title, values }) => [title, values])).toEqual([
    ["off", [0, 0, 5]],
    ["on", [3, 0, 4]],
  ]);
  expect(sum).toBe(12);
});

test("what was answered as a whole is shown in pages", () => {
  const numbers = Array.from({ length: 120 }, (_, place) => place);
  const first = pageOf(numbers, undefined);
  expect([first.data.length, first.data[0], first.has_more, first.next_cursor]).toEqual([50, 0, true, "50"]);
  const last = pageOf(numbers, "100");
  expect([last.data.length, last.data[0], last.has_more]).toEqual([20, 100, false]);
  expect([pageOf(numbers, "x").data[0], pageOf(numbers, "-5").data[0], pageOf(numbers, "500").data]).toEqual([0, 0, []]);
  expect(pageOf([], undefined)).toMatchObject({ data: [], has_more: false });
});
