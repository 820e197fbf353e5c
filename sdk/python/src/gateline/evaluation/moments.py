"""Moments: RFC 3339 and the forms of ISO 8601 that the server reads."""

from __future__ import annotations

import math
import re
from datetime import date

from gateline.evaluation.reading import Part
from gateline.evaluation.texts import Value, trim

_SHAPE = re.compile(
    r"(?P<year>[0-9]{4}|[+-][0-9]{6})(?P<line>-?)(?P<month>[0-9]{2})(?P=line)(?P<day>[0-9]{2})"
    r"[Tt ](?P<hour>[0-9]{2})(?:(?P<colon>:?)(?P<minute>[0-9]{2})(?:(?P=colon)(?P<second>[0-9]{2})"
    r"(?:[.,](?P<fraction>[0-9]{1,9}))?)?)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[0-9]{2})(?:(?P<point>:?)(?P<minutes>[0-9]{2})(?:(?P=point)(?P<seconds>[0-9]{2}))?)?)",
    re.ASCII,
)
_DAY_SECONDS = 86_400
_EPOCH_DAYS = date(1970, 1, 1).toordinal()
#: 400 years have the same number of days wherever they begin.
_ERA_YEARS = 400
_ERA_DAYS = 146_097
#: The first and the last second that the server knows.
_FIRST, _LAST = -377_705_023_201, 253_402_207_200
_MILLIS_BOUND = 1e15


def micros(value: Value) -> int | None:
    """Reads a moment as microseconds since 1970: a text, or a number of milliseconds since then."""
    if isinstance(value, str):
        return moment(value)
    if isinstance(value, float) and not isinstance(value, bool) and abs(value) < _MILLIS_BOUND:
        return int(value * 1e3)
    return None


def moment(text: str) -> int | None:
    """Reads ``2026-11-22T10:00:00Z`` as microseconds since 1970."""
    shape = _SHAPE.fullmatch(trim(text))
    if not shape:
        return None
    parts = {name: int(found or 0) for name, found in shape.groupdict().items() if name not in _SIGNS}
    days = _days(parts["year"], parts["month"], parts["day"])
    if days is None or shape["year"] == "-000000":
        return None
    if parts["hour"] > 23 or parts["minute"] > 59 or parts["second"] > 60:
        return None
    if parts["hours"] > 25 or parts["minutes"] > 59 or parts["seconds"] > 59:
        return None
    # A leap second is the one before it.
    of_day = parts["hour"] * 3600 + parts["minute"] * 60 + min(parts["second"], 59)
    offset = parts["hours"] * 3600 + parts["minutes"] * 60 + parts["seconds"]
    seconds = days * _DAY_SECONDS + of_day - (-offset if shape["sign"] == "-" else offset)
    if not _FIRST <= seconds <= _LAST:
        return None
    nanos = seconds * 10**9 + int((shape["fraction"] or "0").ljust(9, "0"))
    return -(-nanos // 1000) if nanos < 0 else nanos // 1000


def span_of(part: Part) -> tuple[float, float]:
    """Reads from when on and until when something holds; what is not said is for ever."""
    first, last = _moment_or(part, "from", -math.inf), _moment_or(part, "until", math.inf)
    if first >= last:
        part.wrong("/until", "out_of_range", "It ends before it begins.")
    return first, last


def _moment_or(part: Part, name: str, otherwise: float) -> float:
    found = None if part.fields.get(name) is None else moment_in(part, name)
    return otherwise if found is None else found


def moment_in(part: Part, name: str) -> int | None:
    """Reads a moment that must be there."""
    text = part.text(name)
    found = moment(text)
    if found is None and isinstance(part.fields.get(name), str):
        part.wrong(f"/{name}", "value_invalid", f"`{text}` is not a moment, as `2026-11-22T10:00:00Z`.")
    return found


_SIGNS = frozenset({"line", "colon", "point", "sign", "fraction"})


def _days(year: int, month: int, day: int) -> int | None:
    # Python's calendar has the years from 1 on; ours has others.
    eras, rest = divmod(year - 1, _ERA_YEARS)
    try:
        ordinal = date(rest + 1, month, day).toordinal()
    except ValueError:
        return None
    return eras * _ERA_DAYS + ordinal - _EPOCH_DAYS if -9999 <= year <= 9999 else None
