"""Lets the server evaluate, and remembers what it said of whom: for client keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from gateline.cache import Kept, fingerprint, read_json
from gateline.context import Attributes, as_json, text_of_attributes
from gateline.errors import GatelineError
from gateline.source import Source, SourceOptions, changed_keys
from gateline.types import Found

_PATH = "feature-flags/evaluate"
_FORM = "evaluations/1"
#: Of how many the answers are remembered.
_REMEMBERED_MAX = 1000
#: Of how many the answers are asked for again when flags change, or are kept for a next start.
_RECENT_MAX = 5


@dataclass
class _Said:
    """What the server said of somebody."""

    flags: Mapping[str, Found]
    etag: str | None
    #: Until when it is taken for what the server would say now.
    fresh_until: float
    attributes: Attributes | None


class RemoteSource(Source):
    """Answers of the server, by whom they are about."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options
        self._kept = Kept(options.cache_path, _FORM, options.failed)
        #: Those who were asked about last come last.
        self._said: dict[str, _Said] = {}
        self._asking: dict[str, Future[None]] = {}
        self._lock = threading.Lock()
        self._bootstrap: Mapping[str, Found] | None = None
        self._seen_etag: str | None = None

    def is_ready_for(self, attributes: Attributes) -> bool:
        return self._bootstrap is not None or _name(attributes) in self._said

    def is_fresh_for(self, attributes: Attributes) -> bool:
        said = self._said.get(_name(attributes))
        return said is not None and said.fresh_until > time.monotonic()

    def evaluate(self, key: str, attributes: Attributes) -> Found | None:
        return self._flags(attributes).get(key)

    def evaluate_all(self, attributes: Attributes) -> Sequence[Found]:
        return list(self._flags(attributes).values())

    def _flags(self, attributes: Attributes) -> Mapping[str, Found]:
        said = self._said.get(_name(attributes))
        return said.flags if said else self._bootstrap or {}

    def begin(self) -> None:
        bootstrap = read_json(self._options.bootstrap, self._options.failed)
        if bootstrap is not None:
            self._bootstrap = _read(bootstrap)
            if self._bootstrap is None:
                message = "The bootstrap has no evaluations, as POST /api/v1/feature-flags/evaluate answers them."
                self._options.failed(GatelineError("copy_unusable", message))
        kept = self._kept.read()
        for one in kept if isinstance(kept, list) else ():
            flags = _read(one.get("answer")) if isinstance(one, dict) else None
            if flags is not None and isinstance(one.get("of"), str):
                self._said.setdefault(one["of"], _Said(flags, None, 0.0, None))

    def load(self, attributes: Attributes) -> None:
        if not self.is_fresh_for(attributes):
            self._ask(_name(attributes), attributes)

    def refresh(self, etag: str | None = None) -> None:
        if etag is not None and etag == self._seen_etag:
            return
        self._seen_etag = etag or self._seen_etag
        with self._lock:
            recent = list(self._said.items())[-_RECENT_MAX:]
            for said in self._said.values():
                said.fresh_until = 0.0
        for name, said in recent:
            if said.attributes is not None:
                self._ask(name, said.attributes, anew=True)

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        self._asking = {}

    def _ask(self, name: str, attributes: Attributes, *, anew: bool = False) -> None:
        """Asks for somebody, once however many want to know; anew, after an answer that may be too old."""
        while True:
            with self._lock:
                other = self._asking.get(name)
                if other is None:
                    own: Future[None] = Future()
                    self._asking[name] = own
                    break
            failed = other.exception()
            if not anew:
                if failed:
                    raise failed
                return
        try:
            self._call(name, attributes)
            own.set_result(None)
        except BaseException as error:
            own.set_exception(error)
            raise
        finally:
            with self._lock:
                self._asking.pop(name, None)

    def _call(self, name: str, attributes: Attributes) -> None:
        before = self._said.get(name)
        body = {"attributes": as_json(attributes)}
        answer = self._options.transport.call(_PATH, body, etag=before.etag if before else None)
        fresh_until = time.monotonic() + self._options.fresh()
        if not answer.is_new and before:
            before.fresh_until = fresh_until
            before.attributes = attributes
            return
        flags = _read(answer.body)
        if flags is None:
            raise GatelineError("answer_invalid", "The server's answer has no evaluations.")
        with self._lock:
            self._said.pop(name, None)
            self._said[name] = _Said(flags, answer.etag, fresh_until, attributes)
            while len(self._said) > _REMEMBERED_MAX:
                del self._said[next(iter(self._said))]
            recent = list(self._said.items())[-_RECENT_MAX:]
        keys = changed_keys(before.flags if before else self._bootstrap or {}, flags)
        if keys:
            self._options.changed(keys)
        if self._kept.is_wanted:
            # What is kept does not tell who it was.
            self._kept.write([{"of": of, "answer": _written(said.flags)} for of, said in recent])


def _name(attributes: Attributes) -> str:
    return fingerprint(text_of_attributes(attributes))


def _read(body: Any) -> Mapping[str, Found] | None:
    """Reads what the server says of all flags; nothing if it is something else."""
    flags = body.get("flags") if isinstance(body, dict) else None
    if not isinstance(flags, list):
        return None
    return {found.key: found for found in map(_found, flags) if found}


def _found(said: Any) -> Found | None:
    if not isinstance(said, dict) or not isinstance(said.get("key"), str) or not isinstance(said.get("variant"), str):
        return None
    rule, version, assignment = said.get("rule"), said.get("flag_version"), said.get("assignment_id")
    by = said.get("by")
    return Found(
        key=said["key"],
        enabled=said.get("enabled") is True,
        variant=said["variant"],
        value=said.get("value"),
        reason=str(said.get("reason")),
        rule=rule if isinstance(rule, str) else None,
        flag_version=version if isinstance(version, int) else 0,
        assignment_id=assignment if isinstance(assignment, str) else None,
        by=by if isinstance(by, str) else None,
    )


def _written(flags: Mapping[str, Found]) -> dict[str, Any]:
    return {"flags": [found._asdict() for found in flags.values()]}
