"""What leads from one definition to others: never back to itself, and not to too many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: How often other flags are asked for one, and other segments for one.
ASKED_MAX = 256

#: Where each leads to, each time that it does.
Ways = Mapping[str, Sequence[str]]


def find(ways: Ways) -> dict[str, tuple[str, str]]:
    """Says which lead back to themselves, or to more than may be asked on the way, with code and detail."""
    circular = [key for key in ways if _leads_back(key, ways)]
    if circular:
        return dict.fromkeys(circular, ("circular", "It leads back to itself, by itself or through others."))
    detail = f"It leads to others more than {ASKED_MAX} times, by itself and through them."
    return {key: ("too_deep", detail) for key in ways if not _is_near(key, ways)}


def _leads_back(key: str, ways: Ways) -> bool:
    seen: set[str] = set()
    waiting = list(ways[key])
    while waiting:
        found = waiting.pop()
        if found == key:
            return True
        if found not in seen:
            seen.add(found)
            waiting.extend(ways.get(found, ()))
    return False


def _is_near(key: str, ways: Ways) -> bool:
    waiting = list(ways[key])
    for _ in range(ASKED_MAX + 1):
        if not waiting:
            return True
        waiting.extend(ways.get(waiting.pop(), ()))
    return False
