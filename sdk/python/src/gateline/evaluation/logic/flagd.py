"""flagd's operators.

Source: https://flagd.dev/reference/custom-operations/.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from gateline.evaluation.bucketing import Shares, murmur32, utf8
from gateline.evaluation.logic.cbor import cbor
from gateline.evaluation.logic.nodes import Node, Operate, Scope
from gateline.evaluation.logic.values import Data, counted
from gateline.evaluation.reading import is_number
from gateline.evaluation.semver import Version, version

#: A part of all units, and how large it is.
_Weighed: TypeAlias = tuple[Data, int]
#: Which part a hash falls on.
_Falls: TypeAlias = Callable[[int, Sequence[_Weighed]], int]

_WEIGHTS_MAX = 2**31 - 1
_COMPARISONS: Mapping[str, Callable[[Version, Version], bool]] = {
    "=": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "^": lambda one, other: one[:1] == other[:1],
    "~": lambda one, other: one[:2] == other[:2],
}


def _given(gives: Callable[[Sequence[Data], Data], Data]) -> Operate:
    """Makes an operator of what it gives of its arguments, and of all that is known."""

    def operate(nodes: Sequence[Node], scope: Scope) -> Data:
        return gives([node.evaluate(scope) for node in nodes], scope.root)

    return operate


def _affix(has: Callable[[str, str], bool]) -> Operate:
    """Makes what says nothing unless both are texts."""

    def gives(said: Sequence[Data], _: Data) -> Data:
        if len(said) != 2 or not isinstance(said[0], str) or not isinstance(said[1], str):
            return None
        return has(said[0], said[1])

    return _given(gives)


def _compare_as_versions(said: Sequence[Data], _: Data) -> Data:
    """Says nothing unless both are versions and the comparison is one."""
    if len(said) != 3 or not isinstance(said[1], str):
        return None
    one, holds, other = _version(said[0]), _COMPARISONS.get(said[1]), _version(said[2])
    return None if one is None or holds is None or other is None else holds(one, other)


def _version(value: Data) -> Version | None:
    """Reads a version, of which the last numbers may be left out; also one that is written as a number."""
    if not isinstance(value, str) and not is_number(value):
        return None
    text = value if isinstance(value, str) else str(counted(value))
    found = re.search("[-+]", text)
    end = found.start() if found else len(text)
    points = text.count(".", 0, end)
    return version(text[:end] + ".0" * max(2 - points, 0) + text[end:])


def _fractional(falls: _Falls) -> Operate:
    """Makes what says which part somebody gets, by the hash of a text: the first argument, or flag and unit."""

    def gives(said: Sequence[Data], root: Data) -> Data:
        if said and isinstance(said[0], str):
            return _part(murmur32(utf8(said[0])), said[1:], falls)
        implicit = _implicit(root)
        if not said or implicit is None:
            return None
        return _part(murmur32(utf8("".join(implicit))), said[1:] if said[0] is None else said, falls)

    return _given(gives)


def _fractional_of_any(said: Sequence[Data], root: Data) -> Data:
    """Says which part somebody gets, by the hash of any value in CBOR."""
    if not said or said[0] is None:
        return None
    if not isinstance(said[0], list):
        return _part(murmur32(cbor(said[0])), said[1:], _place)
    implicit = _implicit(root)
    return None if implicit is None else _part(murmur32(cbor(implicit)), said, _place)


def _implicit(root: Data) -> list[str] | None:
    """Says the flag's key and the unit, if it is known."""
    known = root if isinstance(root, dict) else {}
    unit, about = known.get("targetingKey"), known.get("$flagd")
    if not isinstance(unit, str) or not unit:
        return None
    flag = about.get("flagKey") if isinstance(about, dict) else None
    return [flag if isinstance(flag, str) else "", unit]


def _part(unit_hash: int, parts: Sequence[Data], falls: _Falls) -> Data:
    """Says the part that a hash falls on, if all parts have a weight."""
    weighed = [found for found in map(_weighed, parts) if found is not None]
    if len(weighed) < len(parts) or not 0 < sum(weight for _, weight in weighed) <= _WEIGHTS_MAX:
        return None
    variant, _ = weighed[falls(unit_hash, weighed)]
    return variant


def _weighed(part: Data) -> _Weighed | None:
    if not isinstance(part, list) or not part or isinstance(part[0], list | dict):
        return None
    said = part[1] if len(part) > 1 else 1
    weight = counted(said) if is_number(said) else None
    if isinstance(weight, float) and weight.is_integer() and weight < 0:
        weight = 0
    return (part[0], max(weight, 0)) if isinstance(weight, int) and weight <= _WEIGHTS_MAX else None


def _place(unit_hash: int, parts: Sequence[_Weighed]) -> int:
    """Says where a hash falls by whole numbers, as it does with us."""
    return Shares([weight for _, weight in parts]).place(unit_hash)


def _place_by_distance(unit_hash: int, parts: Sequence[_Weighed]) -> int:
    """Says where a hash falls by how far it is from 0, of what it can be at most.

    One hash is beyond all: it falls on the last.
    """
    total = sum(weight for _, weight in parts)
    distance = abs(unit_hash - 2**32 if unit_hash >= 2**31 else unit_hash) / _WEIGHTS_MAX * 100
    reached = 0
    for place, (_, weight) in enumerate(parts):
        reached += weight
        if distance < float(reached) * 100 / total:
            return place
    return len(parts) - 1


#: Operators by their names.
FLAGD: Mapping[str, Operate] = {
    "starts_with": _affix(str.startswith),
    "ends_with": _affix(str.endswith),
    "sem_ver": _given(_compare_as_versions),
    "fractional": _fractional(_place),
    "fractional_v1": _fractional(_place_by_distance),
    "fractional_v3": _given(_fractional_of_any),
}
