"""Reading texts as the server reads them, so that both see the same number, the same letters and the same blanks."""

from __future__ import annotations

import math
import re
from decimal import Decimal

#: What an attribute is once it has been read: numbers are floats, lists are of texts.
Value = bool | float | str | tuple[str, ...]

#: Unicode's White_Space; what `str.strip` takes away is more than that.
BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_NO_FINITE_NUMBER = re.compile(r"[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)
#: Numbers that take more letters are no identifiers.
_NUMBER_LETTERS_MAX = 32


def trim(text: str) -> str:
    """Takes blanks away at both ends."""
    return text.strip(BLANKS)


def number(value: Value) -> float | None:
    """Reads a value as a number, if it is one or its text is."""
    if isinstance(value, str):
        text = trim(value)
        if not _NUMBER.fullmatch(text):
            return None
        found = float(text)
        return found if math.isfinite(found) else None
    return value if isinstance(value, float) else None


def number_in(text: str) -> float | None:
    """Reads a text as a number, without blanks; also what is not finite."""
    return float(text) if _NUMBER.fullmatch(text) or _NO_FINITE_NUMBER.fullmatch(text) else None


def text_of(value: Value) -> str | None:
    """Says the text of a value: numbers without exponent, booleans as ``true`` and ``false``; a list has none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _digits(value)
    return None


def _digits(value: float) -> str | None:
    text = format(Decimal(repr(value)), "f") if math.isfinite(value) else repr(value)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if len(text) <= _NUMBER_LETTERS_MAX else None


def small(text: str) -> str:
    """Writes a text in small letters, each letter by itself: a sigma does not depend on its place."""
    if "Σ" in text:
        return "".join(map(str.lower, text))
    return text.lower()
