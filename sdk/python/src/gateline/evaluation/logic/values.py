"""What logic makes of values: which hold, which are equal, what they are as numbers and as texts."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, TypeAlias

from gateline.evaluation.reading import is_number
from gateline.evaluation.texts import number_in

#: A value of JSON; a whole number is an `int`, or a `float` if it is written with a point.
Data: TypeAlias = Any
#: A number that is counted with: an `int` if it is whole and has 64 bits with a sign at most.
Number: TypeAlias = int | float

_WHOLE_END = 2**63
#: Smaller numbers are written with an exponent in JSON.
_PLAIN_MIN = 1e-5


class LogicError(Exception):
    """Logic that cannot be evaluated."""


def is_truthy(value: Data) -> bool:
    """Whether a value counts as true."""
    if isinstance(value, float):
        return value != 0 and not math.isnan(value)
    return bool(value)


def counted(value: Number) -> Number:
    """Says a number as it is counted with."""
    if isinstance(value, float):
        is_whole = value.is_integer() and -_WHOLE_END <= value < _WHOLE_END
        return int(value) if is_whole else value
    return value if -_WHOLE_END <= value < _WHOLE_END else float(value)


def whole_of(value: Data) -> int | None:
    """Says a whole number; nothing of anything else."""
    found = counted(value) if is_number(value) else None
    return found if isinstance(found, int) else None


def number_of(value: Data) -> Number | None:
    """Reads a value as a number: nothing, and an empty text, are 0."""
    if value is None or value == "":
        return 0
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        found = number_in(value)
        return None if found is None else counted(found)
    return counted(value) if is_number(value) else None


def are_same(one: Data, other: Data) -> bool:
    """Whether values are the same, of the same kind."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(are_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(are_same(value, other[name]) for name, value in one.items())
    if is_number(one) and is_number(other):
        return float(one) == float(other)
    return type(one) is type(other) and bool(one == other)


def are_equal(one: Data, other: Data) -> bool:
    """Whether values are equal, also of different kinds. No two objects are."""
    if isinstance(one, dict) or isinstance(other, dict):
        return False
    if isinstance(one, list) or isinstance(other, list) or type(one) is type(other):
        return are_same(one, other)
    if isinstance(one, str) or isinstance(other, str):
        text, than = (one, other) if isinstance(one, str) else (other, one)
        if is_number(than):
            return number_in(text) == float(than)
        return bool(text == {None: "", True: "true", False: "false"}[than])
    # What is left are numbers, booleans and nothing.
    return float(one or 0) == float(other or 0)


def compare(one: Data, other: Data) -> int | None:
    """Says which of two values comes first; nothing if they stand in no order. Raises if they cannot be compared."""
    if isinstance(one, str) and isinstance(other, str):
        return (one > other) - (one < other)
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        raise LogicError("lists and objects have no order")
    ours, theirs = number_of(one), number_of(other)
    if ours is not None and theirs is not None:
        if math.isnan(ours) or math.isnan(theirs):
            return None
        return (float(ours) > float(theirs)) - (float(ours) < float(theirs))
    if is_number(one) or is_number(other):
        raise LogicError("a text is no number")
    return None


def text_of_data(value: Data) -> str:
    """Writes a value as a part of a text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return text_of_number(value) if is_number(value) else _json(value)


def text_of_number(value: Number) -> str:
    """Writes a number with all its digits."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "null"
    if not value.is_integer():
        return format(Decimal(repr(value)), "f")
    return _with_exponent(value) if whole_of(value) is None else f"{int(value)}.0"


def _with_exponent(value: float) -> str:
    digits, _, exponent = repr(value).partition("e")
    return f"{digits}e{int(exponent)}"


def _json(value: Data) -> str:
    """Writes a value as JSON."""
    if isinstance(value, list):
        return f"[{','.join(map(_json, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(name)}:{_json(one)}" for name, one in value.items()) + "}"
    if not isinstance(value, float):
        return json.dumps(value, ensure_ascii=False)
    if not math.isfinite(value):
        return "null"
    if "e" not in repr(value):
        return repr(value)
    return text_of_number(value) if _PLAIN_MIN <= abs(value) < 1 else _with_exponent(value)
