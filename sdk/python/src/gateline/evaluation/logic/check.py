"""What logic may be: bounded in size, in depth and in what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateline.evaluation.logic.values import text_of_number
from gateline.evaluation.problems import part
from gateline.evaluation.reading import is_number

#: Operators in one piece of logic.
_OPERATORS_MAX = 1000
#: Values in one piece of logic, those of lists that something is looked up in included.
_VALUES_MAX = 50_000
#: Operators within operators.
_DEPTH_MAX = 64
#: Operators that go through a list.
_LOOPS = frozenset(("map", "filter", "reduce", "all", "some", "none"))
#: Operators whose answer is no larger than what they read, so that they may be repeated.
_SMALL = frozenset(
    "var if ?: == === != !== ! !! or and > >= < <= max min + - * / % in starts_with ends_with sem_ver".split()
)
#: Operators besides.
_OTHERS = frozenset("missing missing_some merge cat substr fractional fractional_v1 fractional_v3".split())


class Refused(Exception):
    """What is wrong with logic, and where."""

    def __init__(self, pointer: str, code: str, detail: str) -> None:
        super().__init__(detail)
        #: The place, as a JSON Pointer into the logic.
        self.pointer = pointer
        #: A stable name of the reason.
        self.code = code


def paths_of(source: Any) -> list[str]:
    """Says which paths logic reads, none before the one that leads to it; raises what is wrong with it."""
    check = _Check()
    check.value(source, "", 0)
    return sorted(check.paths)


class _Check:
    def __init__(self) -> None:
        self.paths: set[str] = set()
        self._operators = 0
        self._values = 0
        #: Whether it is in what a loop does with each.
        self._in_loop = False

    def value(self, value: Any, pointer: str, depth: int) -> None:
        self._values += 1
        if self._values > _VALUES_MAX:
            raise Refused(pointer, "too_large", f"Logic has at most {_VALUES_MAX} values.")
        if depth > _DEPTH_MAX:
            raise Refused(pointer, "too_deep", f"Logic is nested more than {_DEPTH_MAX} deep.")
        if isinstance(value, list):
            if self._in_loop and any(isinstance(one, dict | list) for one in value):
                raise Refused(pointer, "loop_grows", "A list that a loop makes has no operators in it.")
            self._all(value, pointer, depth)
        elif isinstance(value, dict) and value:
            self._operator(value, pointer, depth)

    def _all(self, values: Sequence[Any], pointer: str, depth: int, left_out: int | None = None) -> None:
        """Checks values; with a place, all but that at it, which is no logic."""
        for place, one in enumerate(values):
            if place != left_out:
                self.value(one, f"{pointer}/{place}", depth + 1)

    def _operator(self, fields: dict[str, Any], pointer: str, depth: int) -> None:
        self._operators += 1
        if self._operators > _OPERATORS_MAX:
            raise Refused(pointer, "too_large", f"Logic has at most {_OPERATORS_MAX} operators.")
        if len(fields) != 1:
            raise Refused(pointer, "logic_invalid", "An operator is an object with one field.")
        ((name, said),) = fields.items()
        at = f"{pointer}/{part(name)}"
        if name not in _LOOPS and name not in _SMALL and name not in _OTHERS:
            raise Refused(at, "operator_unknown", f"`{name}` is no operator of JSONLogic or flagd.")
        if self._in_loop and name not in _SMALL:
            raise Refused(at, "loop_grows", f"`{name}` in a loop could take for ever, or all memory.")
        if name in _LOOPS:
            self._loop(said, at, depth)
        else:
            self._arguments(name, said, at, depth)

    def _arguments(self, name: str, said: Any, at: str, depth: int) -> None:
        if name == "var":
            all_said = said if isinstance(said, list) else [said]
            self._all(all_said, at, depth, left_out=0)
            self._path(all_said[0] if all_said else None, at)
        elif name == "missing":
            self._missing(said, at)
        elif name == "missing_some":
            # How many must be there may be made up; what must be is written down.
            all_said = said if isinstance(said, list) else []
            self._all(all_said, at, depth, left_out=1)
            self._missing(all_said[1] if len(all_said) > 1 else None, f"{at}/1")
        else:
            if name.startswith("fractional"):
                self.paths.add("targetingKey")
            # An operator's own list of arguments is no list that it makes.
            if isinstance(said, list):
                self._all(said, at, depth)
            else:
                self.value(said, at, depth + 1)

    def _path(self, said: Any, pointer: str) -> None:
        path = text_of_number(said) if is_number(said) else "" if said is None else said
        if not isinstance(path, str):
            raise Refused(pointer, "attribute_dynamic", "What logic reads is written down, not made up by it.")
        # In a loop, paths lead into what the loop goes through.
        if self._in_loop or path == "$flagd" or path.startswith("$flagd."):
            return
        if not path:
            detail = "Logic names what it reads; it cannot have all that is known."
            raise Refused(pointer, "attribute_dynamic", detail)
        self.paths.add(path)

    def _missing(self, said: Any, pointer: str) -> None:
        if not isinstance(said, list):
            self._path(said, pointer)
            return
        for place, one in enumerate(said):
            self._path(one, f"{pointer}/{place}")

    def _loop(self, said: Any, pointer: str, depth: int) -> None:
        if not isinstance(said, list):
            raise Refused(pointer, "logic_invalid", "A loop has a list of arguments.")
        for place, one in enumerate(said):
            self._in_loop = place == 1
            self.value(one, f"{pointer}/{place}", depth + 1)
            self._in_loop = False
