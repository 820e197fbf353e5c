"""Server-Sent Events: hears of changes as soon as they are made."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse

from gateline.backoff import Backoff
from gateline.errors import GatelineError, as_gateline_error
from gateline.transport import Transport

_PATH = "feature-flags/changes"
_LINE_BYTES_MAX = 65_536
_LINES_MAX = 1000
#: The server says something every fifteen seconds.
_SILENCE = 45.0
_BACKOFF_MOST = 60.0


class Stream:
    """Holds a connection and renews it until it is closed."""

    def __init__(
        self,
        transport: Transport,
        changed: Callable[[str | None], None],
        failed: Callable[[GatelineError], None],
        backoff: float,
    ) -> None:
        #: Whether changes would be heard of now.
        self.is_open = False
        self._transport = transport
        self._changed = changed
        self._failed = failed
        self._backoff = Backoff(backoff, _BACKOFF_MOST)
        self.closed = threading.Event()

    def run(self) -> None:
        """Connects, and goes on until `closed` is set; that is seen when the server says something next."""
        while not self.closed.is_set():
            least = 0.0
            try:
                with self._transport.open_stream(_PATH, _SILENCE) as response:
                    self._hear(response)
            except Exception as error:
                told = _told(error)
                least = told.retry_after
                if not self.closed.is_set():
                    self._failed(told)
            self.is_open = False
            self.closed.wait(self._backoff.next(least))

    def _hear(self, response: HTTPResponse) -> None:
        event, data = "", list[str]()
        while not self.closed.is_set():
            line = response.readline(_LINE_BYTES_MAX + 1)
            if not line:
                return
            if len(line) > _LINE_BYTES_MAX or len(data) > _LINES_MAX:
                raise GatelineError("answer_invalid", "The stream of changes has an event that is too long.")
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            field, _, value = text.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                event = value
            elif field == "data":
                data.append(value)
            elif not text:
                if not event and data:
                    self._tell("\n".join(data))
                event, data = "", []

    def _tell(self, data: str) -> None:
        try:
            said = json.loads(data)
        except ValueError:
            return
        # As OFREP has it (ADR 0008).
        if not isinstance(said, dict) or said.get("type") != "refetchEvaluation":
            return
        self.is_open = True
        self._backoff.reset()
        etag = said.get("etag")
        self._changed(etag if isinstance(etag, str) else None)


def _told(error: Exception) -> GatelineError:
    if isinstance(error, OSError | HTTPException):
        return GatelineError("unreachable", f"The stream of changes broke off: {error}")
    return as_gateline_error(error)
