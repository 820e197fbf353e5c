"""What leads from one definition to others: never back to itself, and not to too many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: How often other flags are asked for one, and other segments for one.
ASKED_MAX = 256

#: Where each leads to, each time that it does.
Ways = Mapping[str, Sequence[str]]


def find(ways: Ways) -> dict[str, tuple[str, str, int]]:
    """Says which lead back to themselves, or to more than may be asked on the way: code, detail, and which of its ways."""
    circular = {}
    for key, to in ways.items():
        way = _way_back(key, to, ways)
        if way is not None:
            circular[key] = ("circular", "It leads back to itself, by itself or through others.", way)
    if circular:
        return circular
    detail = f"It leads to others more than {ASKED_MAX} times, by itself and through them."
    return {key: ("too_deep", detail, 0) for key in ways if not _is_near(key, ways)}


def _way_back(key: str, to: Sequence[str], ways: Ways) -> int | None:
    """Says the first of the ways that leads back."""
    # What one way has led to need not be looked at by the next: it does not lead back.
    seen: set[str] = set()
    for way, first in enumerate(to):
        waiting = [first]
        while waiting:
            found = waiting.pop()
            if found == key:
                return way
            if found not in seen:
                seen.add(found)
                waiting.extend(ways.get(found, ()))
    return None


def _is_near(key: str, ways: Ways) -> bool:
    waiting = list(ways[key])
    for _ in range(ASKED_MAX + 1):
        if not waiting:
            return True
        waiting.extend(ways.get(waiting.pop(), ()))
    return False
