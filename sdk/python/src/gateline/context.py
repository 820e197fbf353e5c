"""Whom flags are asked about, as callers say it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from gateline.evaluation import Value
from gateline.evaluation.texts import text_of

#: What is known of whom flags are asked about: texts, numbers, booleans, moments, lists of texts, and mappings, which are
#: read with their path, as ``company.plan``. Names are those that flags have: ``user_id``.
Context: TypeAlias = Mapping[str, Any]
#: The same as flags read it.
Attributes: TypeAlias = Mapping[str, Value]

#: As many as the server takes.
_ATTRIBUTES_MAX = 200
_DEPTH_MAX = 8
#: From here on not every whole number is one of JSON's.
_EXACT_MAX = 2**53


def attributes_of(context: Context) -> dict[str, Value]:
    """Reads a context; what no flag can read is left out."""
    attributes: dict[str, Value] = {}
    _flatten(context, "", 0, attributes)
    return attributes


def _flatten(fields: Context, path: str, depth: int, into: dict[str, Value]) -> None:
    for name, value in fields.items():
        if len(into) >= _ATTRIBUTES_MAX:
            return
        if isinstance(value, Mapping):
            if depth < _DEPTH_MAX:
                _flatten(value, f"{path}{name}.", depth + 1, into)
        elif (read := _value_of(value)) is not None:
            into[path + str(name)] = read


def _value_of(value: Any) -> Value | None:
    if isinstance(value, str | bool):
        # An enumeration of texts is its text.
        return value if isinstance(value, bool) else str.__str__(value)
    if isinstance(value, int):
        # A long id stays what it is; as a number it would be another one.
        return float(value) if abs(value) <= _EXACT_MAX else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        # Without a zone it is local time, as everywhere in Python.
        return value.astimezone().isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray | memoryview):
        texts = (text_of(one) for one in map(_value_of, value) if one is not None)
        return tuple(text for text in texts if text is not None)
    return None


def as_json(attributes: Attributes) -> dict[str, Any]:
    """Writes attributes as the server reads them; whole numbers without a point."""
    return {name: _plain(value) for name, value in attributes.items()}


def _plain(value: Value) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_MAX and not _is_negative_zero(value):
        return int(value)
    return list(value) if isinstance(value, tuple) else value


def _is_negative_zero(value: float) -> bool:
    return value == 0 and math.copysign(1, value) < 0


def text_of_attributes(attributes: Attributes) -> str:
    """Says the same text for the same attributes, in whatever order they were said."""
    return json.dumps(as_json(attributes), sort_keys=True)
