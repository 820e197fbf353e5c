"""What the engine here promises beyond the vectors: one broken flag breaks no other, and patterns end soon."""

import unittest
from typing import Any

from gateline.evaluation import Subject, compile_definitions
from gateline.evaluation.patterns import Pattern, PatternError


def flag(**rest: Any) -> dict[str, Any]:
    return {"variants": {"on": True, "off": False}, "off": "off", "otherwise": {"serve": "on"}, **rest}


def needs(key: str) -> dict[str, Any]:
    return flag(prerequisites=[{"flag": key, "variants": ["on"]}])


def codes(definitions: dict[str, Any]) -> dict[str, str]:
    return {problem.pointer: problem.code for problem in compile_definitions(definitions).problems}


class BrokenFlags(unittest.TestCase):
    def test_a_broken_flag_leaves_others_alone(self) -> None:
        flags = compile_definitions({"flags": {"good": flag(), "broken": flag(off="none"), "none": None}})
        self.assertEqual(list(flags), ["good"])
        self.assertIsNone(flags.evaluate("broken", Subject({}, 0)))
        self.assertEqual({problem.pointer for problem in flags.problems} & {"/flags/broken/off"}, {"/flags/broken/off"})

    def test_what_needs_a_broken_flag_is_left_out_as_well(self) -> None:
        by_rule = flag(rules=[{"serve": "off"}, {"requires": [{"flag": "c", "variants": ["off"]}], "serve": "off"}])
        definitions = {"flags": {"a": needs("b"), "b": needs("c"), "c": flag(off="none"), "d": flag(), "e": by_rule}}
        self.assertEqual(list(compile_definitions(definitions)), ["d"])
        self.assertEqual(
            codes(definitions),
            {
                "/flags/c/off": "variant_unknown",
                "/flags/b/prerequisites/0/flag": "flag_unusable",
                "/flags/a/prerequisites/0/flag": "flag_unusable",
                "/flags/e/rules/1/requires/0/flag": "flag_unusable",
            },
        )

    def test_what_needs_a_broken_segment_is_left_out_as_well(self) -> None:
        broken = {"attribute": "a", "op": "sounds_like", "values": ["x"]}
        definitions = {
            "flags": {"a": flag(rules=[{"when": {"not": {"segment": "outer"}}, "serve": "off"}]), "b": flag()},
            "segments": {"outer": {"when": {"segment": "inner"}}, "inner": {"when": broken}},
        }
        self.assertEqual(list(compile_definitions(definitions)), ["b"])
        self.assertIn(("/flags/a/rules/0/when/not/segment", "segment_unusable"), codes(definitions).items())

    def test_what_is_not_known_here_is_not_guessed(self) -> None:
        split = {"split": {"on": 100}, "by": "user_id"}
        rollout = {"serve": "on", "others": "off", "steps": [{"at": "2026-12-01T00:00:00Z", "percent": 5}]}
        kept = {"parts": [], "split": {"on": 100}, "from": "2026"}
        gate = {"key": "k", "by": "u", "parts": []}
        parts = [{"weight": 1, "serve": "on"}]
        for place, wrong in {
            "/flags/a/sticky": flag(sticky=True),
            "/flags/a/otherwise/logic": flag(otherwise={"logic": {"var": "variant"}, "serve": "on"}),
            "/flags/a/rules/0/gates/0/dialect": flag(rules=[{"gates": [{**gate, "dialect": "statsig"}], "serve": "on"}]),
            "/flags/a/rules/0/when/during/every": flag(
                rules=[{"when": {"during": {"from": "2026-12-01T00:00:00Z", "every": "day"}}, "serve": "on"}]
            ),
            "/flags/a/rules/0/when/during/until": flag(rules=[{"when": {"during": {"until": 5}}, "serve": "on"}]),
            "/flags/a/otherwise/buckets/dialect": flag(
                otherwise={"buckets": {"dialect": "statsig", "key": "k", "parts": parts}, "by": "u"}
            ),
            "/flags/a/otherwise/buckets/salt": flag(
                otherwise={"buckets": {"key": "k", "parts": parts, "salt": "x"}, "by": "u"}
            ),
            "/flags/a/otherwise/buckets/key": flag(otherwise={"buckets": {"parts": parts}, "by": "u"}),
            "/flags/a/otherwise/buckets/parts/1/weight": flag(
                otherwise={"buckets": {"key": "k", "parts": [*parts, {"weight": 0.5, "serve": "on"}]}, "by": "u"}
            ),
            "/flags/a/otherwise/bucketing": flag(otherwise={**split, "bucketing": "another"}),
            "/flags/a/rules/0/gates/0/salt": flag(
                rules=[{"gates": [{"key": "k", "by": "u", "parts": [], "salt": "x"}], "serve": "on"}]
            ),
            "/flags/a/rules/0/when/op": flag(rules=[{"when": {"attribute": "a", "op": "near"}, "serve": "on"}]),
            "/flags/a/rules/0/when/none": flag(rules=[{"when": {"all": [], "none": []}, "serve": "on"}]),
            "/flags/a/enabled": flag(enabled="yes"),
            "/flags/a/otherwise/rollout/pace": flag(otherwise={"rollout": {**rollout, "pace": 1}, "by": "u"}),
            "/flags/a/otherwise/rollout/smooth": flag(otherwise={"rollout": {**rollout, "smooth": 1}, "by": "u"}),
            "/flags/a/otherwise/rollout/steps/0/at": flag(
                otherwise={"rollout": {**rollout, "steps": [{"percent": 1}]}, "by": "u"}
            ),
            "/flags/a/otherwise/or_by/0": flag(otherwise={**split, "or_by": [1]}),
            "/flags/a/rules/0/kept/0/from": flag(
                rules=[{**split, "gates": [{"key": "k", "by": "u", "parts": []}], "kept": [kept]}]
            ),
            "/flags/a/version": flag(version=-1),
            "/flags/a/rules": flag(rules={}),
            "/flags/a/overrides/0/values/0": flag(overrides=[{"by": "a", "values": [1], "serve": "on"}]),
        }.items():
            with self.subTest(place):
                self.assertEqual(codes({"flags": {"a": wrong}}), {place: "definition_invalid"})

    def test_logic_has_no_more_values_than_the_server_takes(self) -> None:
        logic = {"in": [1, [1] * 50_000]}
        found = codes({"flags": {"a": flag(rules=[{"logic": logic}])}})
        self.assertEqual(found, {"/flags/a/rules/0/logic/in/1/49997": "too_large"})

    def test_definitions_of_any_form_raise_nothing(self) -> None:
        forms: list[Any] = [None, [], 1, {"flags": []}, {"segments": 7}, {"flags": {"a": []}}, {"flags": {"a": flag(split=1)}}]
        for wrong in forms:
            with self.subTest(wrong):
                self.assertTrue(compile_definitions(wrong).problems)


class Patterns(unittest.TestCase):
    def test_no_pattern_takes_more_than_a_walk_along_the_text(self) -> None:
        # An engine that goes back would take more than the age of the universe.
        self.assertFalse(Pattern("^(a+)+$").is_in("a" * 5000 + "!"))
        self.assertFalse(Pattern("(x*)*(x*)*(x*)*y").is_in("x" * 2000))

    def test_what_would_be_large_or_deep_is_refused(self) -> None:
        for pattern in ("(((a{100}){100}){100})", "(" * 51 + ")" * 51, "[" * 60 + "a" + "]" * 60, "a" * 10_001):
            with self.assertRaises(PatternError):
                Pattern(pattern)

    def test_what_few_languages_have_is_refused(self) -> None:
        for pattern in (r"[a-z&&b]", r"[a--b]", r"[a~~b]", r"\p{Greek}", r"(?x) a", r"(?R)a", r"(?-u)a"):
            with self.subTest(pattern), self.assertRaises(PatternError):
                Pattern(pattern)


if __name__ == "__main__":
    unittest.main()
