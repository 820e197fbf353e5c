"""When to try again."""

from __future__ import annotations

import random
import time
from email.utils import parsedate_to_datetime

#: The longest wait that a server can ask for.
_RETRY_AFTER_MAX = 300.0


class Backoff:
    """Waits that grow and are drawn at random, so that clients that failed together do not come back together."""

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = max(first, most)
        self._failures = 0

    def next(self, least: float = 0.0) -> float:
        """Says how many seconds to wait after one more failure; at least as long as the server wants."""
        ceiling = min(self._most, self._first * float(2**self._failures))
        self._failures = min(self._failures + 1, 30)
        return least + ceiling * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Forgets failures: it worked."""
        self._failures = 0


def retry_after(header: str | None) -> float:
    """Reads ``Retry-After``: seconds, or a date (RFC 9110, section 10.2.3)."""
    if not header:
        return 0.0
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _RETRY_AFTER_MAX)
    try:
        wait = parsedate_to_datetime(text).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0
    return min(max(wait, 0.0), _RETRY_AFTER_MAX)
