"""Values in CBOR (RFC 8949, section 4.2.3: objects in the order of the length of their names)."""

from __future__ import annotations

import struct

from gateline.evaluation.bucketing import utf8
from gateline.evaluation.logic.values import Data, Number

#: What begins a value of each kind.
_POSITIVE, _NEGATIVE, _TEXT, _LIST, _FIELDS = 0, 1, 3, 4, 5
_NULL, _FALSE, _TRUE = b"\xf6", b"\xf4", b"\xf5"
#: Floats in as many bytes as they need.
_FLOATS = ((b"\xf9", ">e"), (b"\xfa", ">f"), (b"\xfb", ">d"))


def cbor(value: Data) -> bytes:
    """Writes a value as bytes."""
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return _head(_LIST, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, dict):
        fields = sorted((len(utf8(name)), name) for name in value)
        return _head(_FIELDS, len(value)) + b"".join(_text(name) + cbor(value[name]) for _, name in fields)
    return _number(value)


def _text(text: str) -> bytes:
    data = utf8(text)
    return _head(_TEXT, len(data)) + data


def _number(value: Number) -> bytes:
    """Writes a number: whole ones without a point, others in as few bytes as hold them."""
    if float(value).is_integer() and -(2**63) <= value < 2**64:
        whole = int(value)
        return _head(_NEGATIVE, -1 - whole) if whole < 0 else _head(_POSITIVE, whole)
    for begin, form in _FLOATS[:-1]:
        try:
            data = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, data)[0] == value:
            return begin + data
    begin, form = _FLOATS[-1]
    return begin + struct.pack(form, value)


def _head(kind: int, number: int) -> bytes:
    """Writes what begins a value: its kind and a number, in as few bytes as hold it."""
    if number < 24:
        return bytes((kind << 5 | number,))
    power = next(power for power in range(4) if power == 3 or number < 1 << (8 << power))
    return bytes((kind << 5 | 24 + power,)) + number.to_bytes(1 << power, "big")
