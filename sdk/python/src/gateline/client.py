"""Asks for flags."""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gateline.backoff import Backoff
from gateline.context import Attributes, Context, attributes_of
from gateline.errors import GatelineError, as_gateline_error
from gateline.evaluation.texts import text_of
from gateline.exposures import Exposure, Exposures, ExposureTimes
from gateline.local import LocalSource
from gateline.options import Options
from gateline.remote import RemoteSource
from gateline.source import Source, SourceOptions
from gateline.stream import Stream
from gateline.transport import Transport
from gateline.types import Details, DetailsError, Flag, Found

T = TypeVar("T")
Listener = Callable[[Sequence[str]], None]

#: How long an answer of the server holds while changes are heard of: rules may have a time of their own.
_FRESH = 300.0
_QUIET_MOST = 30.0
_POLL_LEAST = 1.0
_log = logging.getLogger("gateline")
_clients: weakref.WeakSet[Gateline] = weakref.WeakSet()


class Gateline:
    """Asks for flags of one environment; may be used by any number of threads.

    Nothing here raises: where there is no answer, the default is given, and `Options.on_error` is told why.
    """

    def __init__(self, url: str, key: str, options: Options | None = None) -> None:
        self._options = options or Options()
        self._listeners: list[Listener] = []
        self._quiet_until = 0.0
        self._quiet = Backoff(self._options.backoff, _QUIET_MOST)
        self._begun = threading.Event()
        self._work = threading.Condition()
        self._is_closed = False
        self._source: Source | None = None
        self._exposures: Exposures | None = None
        self._stream: Stream | None = None
        try:
            self._transport = Transport(url, key, self._options.timeout)
            self._make(self._transport, Transport(self._options.events_url or url, key, self._options.timeout))
            self._start()
        except Exception as error:
            self._failed(as_gateline_error(error))
            self._begun.set()
        _clients.add(self)

    def check(self, flag: str | Flag[bool], context: Context | None = None, default: bool | None = None) -> bool:
        """Says whether a flag is on for somebody: the value of a boolean flag; of others, whether they get more than `off`."""
        key, otherwise = (flag.key, flag.default) if isinstance(flag, Flag) else (flag, False)
        found, _, attributes = self._ask(key, context)
        self._expose(found, attributes)
        return found.enabled if found else otherwise if default is None else default

    def string(self, key: str, default: str, context: Context | None = None) -> str:
        """Says the value of a flag whose values are texts."""
        return self.details(key, default, context).value

    def number(self, key: str, default: float, context: Context | None = None) -> float:
        """Says the value of a flag whose values are numbers."""
        return self.details(key, default, context).value

    def json(self, key: str, default: Any, context: Context | None = None) -> Any:
        """Says the value of a flag, whatever it is."""
        found, _, attributes = self._ask(key, context)
        self._expose(found, attributes)
        return found.value if found else default

    def value(self, flag: Flag[T], context: Context | None = None) -> T:
        """Says the value of a flag that has a type."""
        return self.details(flag.key, flag.default, context).value

    def details(self, key: str, default: T, context: Context | None = None) -> Details[T]:
        """Says what somebody gets of a flag and why. A value of another type than the default's is not given."""
        found, error, attributes = self._ask(key, context)
        details = _details(key, default, found, error)
        if details.error is None:
            self._expose(found, attributes)
        return details

    def peek(self, key: str, default: T, context: Context | None = None) -> Details[T]:
        """Says the same by what is there now, without waiting and without telling an exposure."""
        found, error = self._find(key, self._attributes(context))
        return _details(key, default, found, error)

    def all(self, context: Context | None = None) -> dict[str, Details[Any]]:
        """Says what somebody gets of all flags; no exposure is told."""
        attributes = self._attributes(context)
        self._load(attributes)
        try:
            found = self._source.evaluate_all(attributes) if self._source else ()
        except Exception as error:
            self._failed(as_gateline_error(error))
            return {}
        return {one.key: _of_found(one, one.value) for one in found}

    def expose(self, key: str, context: Context | None = None) -> None:
        """Tells that somebody got what `peek` says."""
        attributes = self._attributes(context)
        self._expose(self._find(key, attributes)[0], attributes)

    def ready(self, context: Context | None = None) -> bool:
        """Says whether there is an answer of the server, or what was kept of one; waits for it as a question does."""
        attributes = self._attributes(context)
        self._load(attributes)
        return self._source is not None and self._source.is_ready_for(attributes)

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Calls whenever flags change, with their keys, in a thread of its own; says how to end that."""
        self._listeners = [*self._listeners, listener]

        def end() -> None:
            self._listeners = [one for one in self._listeners if one is not listener]

        return end

    def flush(self) -> None:
        """Sends exposures that wait."""
        if self._exposures:
            self._exposures.flush()

    def close(self) -> None:
        """Sends exposures that wait, and ends all work. What was learnt so far still answers."""
        if self._is_closed:
            return
        self._is_closed = True
        atexit.unregister(self.close)
        self._wake()
        if self._stream:
            self._stream.closed.set()
        if self._exposures:
            self._exposures.close()

    def __enter__(self) -> Gateline:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make(self, transport: Transport, events: Transport) -> None:
        options = self._options
        sources = SourceOptions(
            transport=transport,
            cache_path=options.cache_path,
            bootstrap=options.bootstrap,
            changed=self._changed,
            failed=self._failed,
            fresh=lambda: _FRESH if self._stream and self._stream.is_open else max(options.poll, _POLL_LEAST),
        )
        self._source = LocalSource(sources) if options.evaluation == "local" else RemoteSource(sources)
        times = ExposureTimes(options.flush, options.flush_at, options.exposure_window, options.backoff)
        self._exposures = Exposures(events, times, self._failed, self._wake)

    def _start(self) -> None:
        """Starts the threads; they end with the process, which sends exposures before."""
        threading.Thread(target=self._run, name="gateline", daemon=True).start()
        if self._options.streaming:
            self._stream = Stream(self._transport, self._refresh, self._failed, self._options.backoff)
            threading.Thread(target=self._listen, args=(self._stream,), name="gateline-changes", daemon=True).start()
        atexit.register(self.close)

    def _after_fork(self) -> None:
        """Begins anew in a process that was forked off: threads are not forked, and locks may be held for ever."""
        if self._is_closed or not self._source or not self._exposures:
            return
        self._work = threading.Condition()
        begun, self._begun = self._begun, threading.Event()
        if begun.is_set():
            self._begun.set()
        self._source.after_fork()
        self._exposures.after_fork()
        self._start()

    def _listen(self, stream: Stream) -> None:
        self._begun.wait()
        stream.run()

    def _run(self) -> None:
        """Reads what was kept, asks the server, and then asks again and sends exposures when it is time."""
        source, exposures, backoff = self._source, self._exposures, Backoff(self._options.backoff, _QUIET_MOST)
        assert source and exposures
        if not self._begun.is_set():
            self._guarded(source.begin)
        poll_at = time.monotonic() + self._begin(source, backoff)
        while not self._is_closed:
            with self._work:
                waits = [poll_at - time.monotonic(), exposures.wait()]
                wait = min(one for one in waits if one is not None)
                if wait > 0 and not self._is_closed:
                    self._work.wait(wait)
            if self._is_closed:
                return
            self._guarded(exposures.send_due)
            if time.monotonic() >= poll_at:
                is_heard = self._stream is not None and self._stream.is_open
                poll_at = time.monotonic() + (self._pause() if is_heard else self._poll(source, backoff))

    def _begin(self, source: Source, backoff: Backoff) -> float:
        if source.is_ready_for({}) or self._options.evaluation == "remote":
            self._begun.set()
        wait = self._pause() if self._options.evaluation == "remote" else self._poll(source, backoff)
        self._begun.set()
        return wait

    def _poll(self, source: Source, backoff: Backoff) -> float:
        """Asks the server once more, and says how long to wait until the next time."""
        if self._guarded(source.refresh):
            backoff.reset()
            return self._pause()
        return min(backoff.next(), self._pause())

    def _pause(self) -> float:
        return max(self._options.poll, _POLL_LEAST) * random.uniform(0.9, 1.1)

    def _refresh(self, etag: str | None) -> None:
        source = self._source
        if source and self._guarded(lambda: source.refresh(etag)):
            self._answered()

    def _guarded(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except Exception as error:
            if not self._is_closed:
                self._failed(as_gateline_error(error))
            return False
        return True

    def _wake(self) -> None:
        with self._work:
            self._work.notify_all()

    def _attributes(self, context: Context | None) -> Attributes:
        try:
            return attributes_of({**self._options.context, **(context or {})})
        except Exception as error:
            self._failed(as_gateline_error(error))
            return {}

    def _ask(self, key: str, context: Context | None) -> tuple[Found | None, DetailsError | None, Attributes]:
        attributes = self._attributes(context)
        self._load(attributes)
        return *self._find(key, attributes), attributes

    def _is_fresh_for(self, context: Context | None) -> bool:
        """Whether a question is answered by what is there, without waiting."""
        return self._source is not None and self._source.is_fresh_for(self._attributes(context))

    def _load(self, attributes: Attributes) -> None:
        """Waits until there is an answer for somebody, but not for long."""
        source = self._source
        if not source or self._is_closed or source.is_fresh_for(attributes):
            return
        self._begun.wait(self._options.timeout)
        # Definitions are asked for by a thread of ours.
        if self._options.evaluation == "local" or time.monotonic() < self._quiet_until:
            return
        try:
            source.load(attributes)
            self._answered()
        except Exception as error:
            self._unanswered(as_gateline_error(error))

    def _answered(self) -> None:
        self._quiet.reset()
        self._quiet_until = 0.0

    def _unanswered(self, error: GatelineError) -> None:
        """Lets nobody wait for a while, unless it was about one question alone."""
        if not 400 <= error.status < 500 or error.status in (401, 403, 429):
            self._quiet_until = time.monotonic() + self._quiet.next(error.retry_after)
        self._failed(error)

    def _find(self, key: str, attributes: Attributes) -> tuple[Found | None, DetailsError | None]:
        if not self._source or not self._source.is_ready_for(attributes):
            return None, "not_ready"
        try:
            found = self._source.evaluate(key, attributes)
        except Exception as error:
            self._failed(as_gateline_error(error))
            return None, "internal"
        return found, None if found else "flag_not_found"

    def _expose(self, found: Found | None, attributes: Attributes) -> None:
        options = self._options
        wanted = options.exposures == "all" or (options.exposures == "split" and found and found.reason == "split")
        if not found or not self._exposures or not wanted:
            return
        by = found.by or options.unit
        known = attributes.get(by)
        unit = None if known is None else text_of(known)
        # An empty text may be a unit of a split, but nobody's name.
        if not unit:
            return
        told = {name: attributes[name] for name in options.exposure_attributes if name in attributes}
        self._exposures.add(Exposure(found.key, found.variant, found.flag_version, by, unit, told or None))

    def _changed(self, keys: Sequence[str]) -> None:
        for listener in self._listeners:
            self._guarded(lambda one=listener: one(keys))  # type: ignore[misc]

    def _failed(self, error: GatelineError) -> None:
        try:
            if self._options.on_error:
                self._options.on_error(error)
            else:
                _log.warning("%s", error)
        except Exception:
            # Whoever is told cannot be told that being told failed.
            _log.exception("on_error failed")


def _kind(value: Any) -> str:
    """Says which of JSON's types a value has."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "json"


def _details(key: str, default: T, found: Found | None, error: DetailsError | None) -> Details[T]:
    if found and _kind(found.value) != _kind(default):
        error = "type_mismatch"
    if found and error is None:
        value: T = found.value
        return _of_found(found, value)
    return Details(key=key, value=default, enabled=default is True, reason="error", error=error)


def _of_found(found: Found, value: T) -> Details[T]:
    return Details(
        key=found.key,
        value=value,
        enabled=found.enabled,
        reason=found.reason,
        variant=found.variant,
        rule=found.rule,
        flag_version=found.flag_version,
        assignment_id=found.assignment_id,
    )


def _after_fork() -> None:
    for client in list(_clients):
        client._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
