"""Rules that are JSONLogic, as flagd's are: what cannot be said as conditions and splits.

Logic is checked and compiled ahead, within the server's bounds, and gives what the server's engine gives: the crate
`datalogic-rs`, also where that differs from JSONLogic's first implementation.

Sources: https://jsonlogic.com/operations.html, https://flagd.dev/reference/flag-definitions/#targeting-rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateline.evaluation.logic.check import Refused, paths_of
from gateline.evaluation.logic.compiling import compile_logic
from gateline.evaluation.logic.nodes import Scope
from gateline.evaluation.logic.values import Data, LogicError
from gateline.evaluation.subject import Subject
from gateline.evaluation.texts import Value

__all__ = ["Logic", "LogicError", "Refused", "apply"]

#: What flagd calls the unit, and what it is called with us: the second stands for the first where that is not known.
_TARGETING_KEY = "targetingKey"
_USER = "user_id"
_MICROS_PER_SECOND = 1_000_000
#: Whole numbers below this are written without a point.
_WHOLE_END = 9.0e15


class Logic:
    """Compiled logic."""

    __slots__ = ("_reads", "_root")

    def __init__(self, source: Any) -> None:
        """Checks and compiles logic; raises `Refused` if it cannot be evaluated."""
        #: The attributes that it reads, and their paths.
        self._reads = [(name, name.split(".")) for name in paths_of(source)]
        self._root = compile_logic(source)

    def named(self, flag: str, subject: Subject) -> str | None:
        """Says what it names; nothing if the rule is not for a subject. Raises `LogicError` if that is no name."""
        data = self._data(flag, subject)
        found = self._root.evaluate(Scope(data, data))
        if isinstance(found, bool):
            return "true" if found else "false"
        if found is not None and not isinstance(found, str):
            raise LogicError("it gives no name")
        return found

    def _data(self, flag: str, subject: Subject) -> Data:
        """Says what is known of what it reads, as JSON."""
        data: dict[str, Any] = {}
        for name, path in self._reads:
            known = subject.attributes.get(name)
            if name == _TARGETING_KEY and known in (None, ""):
                known = subject.attributes.get(_USER)
            if known is not None:
                _put(data, path, _plain(known))
        data["$flagd"] = {"flagKey": flag, "timestamp": subject.now_micros // _MICROS_PER_SECOND}
        return data


def apply(logic: Any, data: Any) -> Data:
    """Evaluates logic over any data as that of flags, without their bounds: for who trusts both."""
    return compile_logic(logic).evaluate(Scope(data, data))


def _put(data: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Puts a value at the end of a path; what is known stays where it is."""
    *ways, last = path
    for part in ways:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            return
    data[last] = value


def _plain(value: Value) -> Data:
    """Says a value as JSON has it; whole numbers without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE_END:
        return int(value)
    return list(value) if isinstance(value, tuple) else value
