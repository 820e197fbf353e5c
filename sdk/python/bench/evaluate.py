"""Measures evaluations: `python3 bench/evaluate.py`; prints figures, asserts none. Flags as in `cargo bench -p eval`."""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from gateline import Gateline, Options  # noqa: E402
from gateline.context import attributes_of  # noqa: E402
from gateline.evaluation import Subject, compile_definitions  # noqa: E402

FLAGS = 1000
ROUNDS = 7
EACH = 20_000
NOW_MICROS = 1_795_000_000_000_000


def flag(number: int) -> dict[str, Any]:
    conditions = [
        {"attribute": "country", "op": "in", "values": ["DE", "FR", "AT"]},
        {"attribute": "plan", "op": "not_in", "values": ["free"]},
        {"attribute": "app_version", "op": "semver_gte", "values": ["2.1.0"]},
        {"attribute": "age", "op": "gte", "values": ["18"]},
        {"attribute": "email", "op": "ends_with", "values": ["@example.org", "@example.com"]},
    ]
    split = {"on": number % 100, "off": 100 - number % 100}
    rules = [{"when": {"all": conditions}, "split": split, "by": "user_id"}]
    return {"variants": {"on": True, "off": False}, "off": "off", "rules": rules, "otherwise": {"serve": "off"}}


def context(user: int) -> dict[str, Any]:
    known = {"country": "FR", "plan": "team", "app_version": "2.10.3", "age": 34, "email": "someone@example.com"}
    return {"user_id": f"user-{user:08}", **known}


def measure(name: str, work: Callable[[int], object]) -> None:
    """Prints the nanoseconds of one, the median of some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for place in range(EACH):
            work(place)
        rounds.append((time.perf_counter() - began) * 1e9 / EACH)
    print(f"| {name} | {statistics.median(rounds):.0f} |")


def main() -> None:
    fixed = {"variants": {"on": True, "off": False}, "off": "off", "otherwise": {"serve": "on"}}
    flags: dict[str, Any] = {f"feature-{number}": flag(number) for number in range(FLAGS)}
    definitions = {"flags": {**flags, "static": fixed}}
    began = time.perf_counter()
    engine = compile_definitions(definitions)
    compiled = time.perf_counter() - began
    contexts = [context(user) for user in range(1000)]
    subjects = [Subject(attributes_of(one), NOW_MICROS) for one in contexts]
    keys = [f"feature-{place * 7919 % FLAGS}" for place in range(FLAGS)]
    options = Options(bootstrap=definitions, streaming=False, exposures="none", on_error=lambda _: None)
    with Gateline("http://127.0.0.1:1", "none", options) as gateline:
        gateline.ready()
        print("| evaluation | ns |\n|---|---:|")
        measure("a flag that gives everybody the same, by the engine", lambda at: engine.evaluate("static", subjects[at % 1000]))
        measure("five conditions and a split, by the engine", lambda at: engine.evaluate(keys[at % FLAGS], subjects[at % 1000]))
        measure("the same by `check`, with its context", lambda at: gateline.check(keys[at % FLAGS], contexts[at % 1000]))
    print(f"\nCompiling {FLAGS} flags takes {compiled * 1e3:.0f} ms.")


if __name__ == "__main__":
    main()
