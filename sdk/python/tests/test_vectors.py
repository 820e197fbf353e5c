"""The vectors that the server's engine is held to as well."""

import json
import unittest
from pathlib import Path
from typing import Any

from gateline.evaluation import Flags, Subject, Value, compile_definitions
from gateline.evaluation.bucketing import Bucketing, Shares
from gateline.evaluation.logic import LogicError, apply
from gateline.evaluation.moments import moment

VECTORS = Path(__file__).parents[3] / "spec" / "eval"
NOW = "2026-11-22T10:00:00Z"
#: What this implementation has of that which a suite may need.
HAS: frozenset[str] = frozenset()
#: What is said of a definition that is fine by itself, but needs a broken one.
FOLLOWS = ("flag_unusable", "segment_unusable")


def vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def value_of(value: Any) -> Value:
    if isinstance(value, list):
        return tuple(value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def subject(attributes: dict[str, Any], at: str = NOW) -> Subject:
    now = moment(at)
    assert now is not None
    return Subject({name: value_of(value) for name, value in attributes.items()}, now)


def flag_that_tests(case: dict[str, Any]) -> Flags:
    test = {"attribute": "a", "op": case["op"], "values": case["values"]}
    test |= {name: case.get(name, False) for name in ("ignore_case", "text_only", "short")}
    flag = {
        "variants": {"yes": True, "no": False},
        "off": "no",
        "rules": [{"when": test, "serve": "yes"}],
        "otherwise": {"serve": "no"},
    }
    return compile_definitions({"flags": {"flag": flag}})


def are_booleans(value: Any) -> Any:
    """Says what of a value is a boolean: to Python, 1 is equal to one."""
    if isinstance(value, list):
        return list(map(are_booleans, value))
    return isinstance(value, bool)


class Vectors(unittest.TestCase):
    def test_units_and_shares_are_where_the_vectors_say(self) -> None:
        document = vectors("buckets.json")
        self.assertGreater(len(document["hashes"]), 50)
        self.assertGreater(len(document["places"]), 50)
        for case in document["hashes"]:
            with self.subTest(**case):
                self.assertEqual(Bucketing(case["key"]).of(case["unit"]), case["hash"])
        for case in document["places"]:
            with self.subTest(**case):
                self.assertEqual(Shares(case["weights"]).place(case["hash"]), case["place"])

    def test_each_comparison_fits_what_it_says(self) -> None:
        cases = vectors("conditions.json")["cases"]
        self.assertGreater(len(cases), 140)
        for case in cases:
            flags = flag_that_tests(case)
            self.assertEqual(flags.problems, [], case)
            asked = [({"a": value}, True) for value in case["fits"]]
            asked += [({"a": value}, False) for value in case["fits_not"]]
            asked += [({}, case["op"] in ("not_in", "is_absent"))]
            for attributes, expected in asked:
                with self.subTest(op=case["op"], values=case["values"], attributes=attributes):
                    found = flags.evaluate("flag", subject(attributes))
                    self.assertEqual(found and found.value, expected)

    def test_evaluations_are_what_the_vectors_say(self) -> None:
        self.assertGreater(self.ask(vectors("evaluations.json")["suites"]), 300)

    def test_logic_gives_what_the_vectors_say(self) -> None:
        document = vectors("logic.json")
        self.assertGreater(len(document["cases"]), 900)
        for case in document["cases"]:
            with self.subTest(**case):
                if case.get("error"):
                    self.assertRaises(LogicError, apply, case["logic"], case["data"])
                else:
                    found = apply(case["logic"], case["data"])
                    self.assertEqual((found, are_booleans(found)), (case["result"], are_booleans(case["result"])))
        self.assertGreater(self.ask(document["suites"]), 150)

    def ask(self, suites: list[dict[str, Any]]) -> int:
        """Asks what suites ask; says how much that is."""
        asked = 0
        for suite in suites:
            if not HAS.issuperset(suite.get("needs", [])):
                continue
            flags = compile_definitions(suite["definitions"])
            self.assertEqual(flags.problems, [], suite["name"])
            for case in suite["cases"]:
                with self.subTest(suite=suite["name"], **case):
                    self.assert_case(flags, case)
                asked += 1
        return asked

    def assert_case(self, flags: Flags, case: dict[str, Any]) -> None:
        found = flags.evaluate(case["flag"], subject(case["attributes"], case.get("now", NOW)))
        assert found is not None
        told = (found.variant, found.value, found.reason, found.rule, found.by)
        expected = (case["variant"], case["value"], case["reason"], case["rule"], case.get("by"))
        self.assertEqual(told, expected)

    def test_units_stand_where_they_stand_with_other_products(self) -> None:
        cases = vectors("dialects.json")["cases"]
        self.assertGreater(len(cases), 40)
        for case in cases:
            flags = compile_definitions({"flags": {"flag": case["flag"]}})
            self.assertEqual(flags.problems, [], case)
            with self.subTest(**case):
                found = flags.evaluate("flag", subject(case["known"], case.get("at", NOW)))
                self.assertEqual(found and (found.variant, found.reason), (case["variant"], case["reason"]))

    def test_what_is_wrong_is_named_with_its_place(self) -> None:
        cases, refused = vectors("refused.json")["cases"], vectors("dialects.json")["refused"]
        logic = vectors("logic.json")["refused"]
        self.assertGreater(len(cases), 100)
        self.assertGreater(len(refused), 8)
        self.assertGreater(len(logic), 50)
        for case in (*cases, *refused, *logic):
            with self.subTest(pointer=case["pointer"], code=case["code"]):
                flags = compile_definitions({"flags": case["flags"], "segments": case.get("segments", {})})
                found = [(problem.pointer, problem.code) for problem in flags.problems]
                own = [problem for problem in found if problem[1] not in FOLLOWS]
                self.assertEqual(own, [(case["pointer"], case["code"])])
                # Whatever is wrong with it leads to no flag.
                self.assertEqual([key for key in flags if case["pointer"].startswith(f"/flags/{key}/")], [])


if __name__ == "__main__":
    unittest.main()
