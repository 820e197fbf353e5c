"""Versions as Semantic Versioning 2.0 orders them (section 11)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

from gateline.evaluation.texts import trim

_NUMBER_MAX = 2**64 - 1
#: Few versions are asked about again and again.
_KNOWN_MAX = 256
_SHAPE = re.compile(
    r"[vV]?([0-9]+)(?:\.([0-9]+)(?:\.([0-9]+))?)?(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?", re.ASCII
)

_Part: TypeAlias = tuple[int, int, str]
#: A version as something that sorts: three numbers, whether it is the release itself, the parts before the release.
Version: TypeAlias = tuple[int, int, int, bool, tuple[_Part, ...]]


@lru_cache(_KNOWN_MAX)
def version(text: str) -> Version | None:
    """Reads ``1.2.3``, ``1.2.3-rc.1``, ``1.2.3+build``; a ``v`` in front does no harm."""
    shape = _SHAPE.fullmatch(trim(text))
    return None if shape is None or shape[3] is None else _read(shape)


@lru_cache(_KNOWN_MAX)
def short_version(text: str) -> Version | None:
    """Reads what may leave out its last numbers as well: ``1.2`` is ``1.2.0``."""
    shape = _SHAPE.fullmatch(trim(text))
    return None if shape is None else _read(shape)


def _read(shape: re.Match[str]) -> Version | None:
    major, minor, patch = (_whole(part or "0") for part in shape.group(1, 2, 3))
    before, build = shape.group(4, 5)
    if major is None or minor is None or patch is None:
        return None
    if build is not None and "" in build.split("."):
        return None
    if before is None:
        return major, minor, patch, True, ()
    parts = before.split(".")
    if any(not part or _has_zero_in_front(part) for part in parts):
        return None
    return major, minor, patch, False, tuple(map(_part, parts))


def _part(text: str) -> _Part:
    whole = _whole(text)
    # Numbers come before texts.
    return (0, whole, "") if whole is not None else (1, 0, text)


def _whole(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or _has_zero_in_front(text):
        return None
    if len(text) > len(str(_NUMBER_MAX)):
        return None
    found = int(text)
    return found if found <= _NUMBER_MAX else None


def _has_zero_in_front(text: str) -> bool:
    return len(text) > 1 and text[0] == "0" and text.isdigit()
