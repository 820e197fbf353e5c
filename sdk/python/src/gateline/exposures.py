"""Tells the server who was given which variant, in batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from gateline.backoff import Backoff
from gateline.errors import GatelineError
from gateline.transport import Transport

#: Exposures are events of this type.
_TYPE = "flag_exposure"
_PATH = "tracking/events"
#: As many as the server takes at once.
_BATCH_MAX = 500
_QUEUE_MAX = 10_000
_SEEN_MAX = 10_000
_BACKOFF_MOST = 60.0
#: Answers after which the same may be taken later; after others of their kind it never will.
_RETRIED = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Exposure:
    """The recorded fact that somebody got a variant."""

    flag: str
    variant: str
    flag_version: int
    #: The attribute that the split goes by.
    by: str
    #: Its value: who it is.
    unit: str
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ExposureTimes:
    """When exposures are sent, in seconds."""

    #: They wait so long at most.
    flush: float
    #: So many do not wait.
    flush_at: int
    #: The same unit, flag and variant are told once in so long.
    window: float
    backoff: float


class Exposures:
    """Exposures that wait. `send_due` is called by a thread of the client, which `wake` wakes."""

    def __init__(
        self,
        transport: Transport,
        times: ExposureTimes,
        failed: Callable[[GatelineError], None],
        wake: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._times = times
        self._failed = failed
        self._wake = wake
        self._queue: list[dict[str, Any]] = []
        self._seen: dict[tuple[str, str, str, str], float] = {}
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._due: float | None = None
        self._not_before = 0.0
        self._is_closed = False
        self._backoff = Backoff(times.backoff, _BACKOFF_MOST)

    def add(self, exposure: Exposure) -> None:
        """Takes one in, unless it was told lately."""
        now = time.monotonic()
        name = (exposure.by, exposure.unit, exposure.flag, exposure.variant)
        with self._lock:
            before = self._seen.pop(name, None)
            is_told = before is not None and now - before < self._times.window
            self._seen[name] = before if is_told and before is not None else now
            if self._is_closed or is_told:
                return
            if len(self._seen) > _SEEN_MAX:
                del self._seen[next(iter(self._seen))]
            is_full = len(self._queue) >= _QUEUE_MAX
            if is_full:
                del self._queue[0]
            self._queue.append(_waiting(exposure))
            wait = 0.0 if len(self._queue) >= self._times.flush_at else self._times.flush
            due = max(now + wait, self._not_before)
            is_sooner = self._due is None or due < self._due
            if is_sooner:
                self._due = due
        if is_full:
            message = f"More than {_QUEUE_MAX} exposures wait; the oldest is dropped."
            self._failed(GatelineError("exposures_dropped", message))
        if is_sooner:
            self._wake()

    def wait(self) -> float | None:
        """Says in how many seconds something is to be sent, if anything is."""
        with self._lock:
            return None if self._due is None else max(self._due - time.monotonic(), 0.0)

    def send_due(self) -> None:
        """Sends what waits, if it is time."""
        if self.wait() == 0.0:
            self.flush()

    def flush(self) -> None:
        """Sends what waits; what the server does not take for now waits longer."""
        with self._sending:
            with self._lock:
                self._due = None
            while batch := self._take():
                try:
                    self._transport.call(_PATH, {"events": batch})
                    self._backoff.reset()
                    self._not_before = 0.0
                except GatelineError as error:
                    if self._put_back(batch, error):
                        return

    def _take(self) -> list[dict[str, Any]]:
        with self._lock:
            batch, self._queue = self._queue[:_BATCH_MAX], self._queue[_BATCH_MAX:]
        return batch

    def _put_back(self, batch: list[dict[str, Any]], error: GatelineError) -> bool:
        """Puts a batch back if it may be taken later, and says whether to wait until then."""
        if 400 <= error.status < 500 and error.status not in _RETRIED:
            message = f"The server does not take {len(batch)} exposures: {error}"
            self._failed(GatelineError("exposures_dropped", message, status=error.status))
            return False
        with self._lock:
            self._queue = [*batch, *self._queue][-_QUEUE_MAX:]
            self._not_before = time.monotonic() + self._backoff.next(error.retry_after)
            self._due = self._not_before
        self._failed(error)
        self._wake()
        return True

    def close(self) -> None:
        """Sends what waits, once, and takes in no more."""
        self._is_closed = True
        self.flush()
        with self._lock:
            left = len(self._queue)
        if left:
            message = f"{left} exposures could not be sent before the end."
            self._failed(GatelineError("exposures_dropped", message))

    def after_fork(self) -> None:
        """Begins anew: what waits is sent by the other process."""
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._queue = []
        self._due = None


def _waiting(exposure: Exposure) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "flag": exposure.flag,
        "variant": exposure.variant,
        "flag_version": exposure.flag_version,
        "by": exposure.by,
    }
    if exposure.attributes:
        properties["attributes"] = dict(exposure.attributes)
    return {
        "type": _TYPE,
        # Told twice, it counts once by its id.
        "id": str(uuid4()),
        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "user_id": exposure.unit,
        "properties": properties,
    }
