"""Evaluates here, by definitions that the server sends: for server keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from gateline.cache import Kept, read_json
from gateline.context import Attributes
from gateline.errors import GatelineError
from gateline.evaluation import Flags, Subject, compile_definitions
from gateline.source import Source, SourceOptions, changed_keys
from gateline.types import Found

_PATH = "feature-flags/definitions"
_FORM = "definitions/1"


class LocalSource(Source):
    """The definitions of an environment."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options
        self._kept = Kept(options.cache_path, _FORM, options.failed)
        self._flags: Flags | None = None
        self._definitions: dict[str, Any] = {}
        self._etag: str | None = None
        self._asking = threading.Lock()

    def is_ready_for(self, attributes: Attributes) -> bool:
        return self._flags is not None

    def is_fresh_for(self, attributes: Attributes) -> bool:
        return self._flags is not None

    def evaluate(self, key: str, attributes: Attributes) -> Found | None:
        found = self._flags and self._flags.evaluate(key, Subject(attributes, time.time_ns() // 1000))
        if not found:
            return None
        return Found(
            key=key,
            enabled=found.enabled,
            variant=found.variant,
            value=found.value,
            reason=found.reason,
            rule=found.rule,
            flag_version=found.flag_version,
            by=found.by,
        )

    def evaluate_all(self, attributes: Attributes) -> Sequence[Found]:
        return [found for key in self._flags or () if (found := self.evaluate(key, attributes))]

    def begin(self) -> None:
        kept = self._kept.read()
        # What the server said last is newer than what was built in.
        if isinstance(kept, dict) and isinstance(kept.get("definitions"), dict):
            self._take(kept["definitions"])
            etag = kept.get("etag")
            self._etag = etag if isinstance(etag, str) else None
            return
        bootstrap = read_json(self._options.bootstrap, self._options.failed)
        if isinstance(bootstrap, dict) and isinstance(bootstrap.get("flags"), dict):
            self._take(bootstrap)
        elif bootstrap is not None:
            message = "The bootstrap has no definitions, as GET /api/v1/feature-flags/definitions answers them."
            self._options.failed(GatelineError("copy_unusable", message))

    def load(self, attributes: Attributes) -> None:
        if self._flags is None:
            self.refresh()

    def refresh(self, etag: str | None = None) -> None:
        with self._asking:
            if etag is not None and self._etag is not None and _bare(etag) == _bare(self._etag):
                return
            answer = self._options.transport.call(_PATH, etag=self._etag)
            if not answer.is_new:
                return
            if not isinstance(answer.body, dict) or not isinstance(answer.body.get("flags"), dict):
                raise GatelineError("answer_invalid", "The server's answer has no definitions.")
            self._take(answer.body)
            self._etag = answer.etag
            self._kept.write({"etag": answer.etag, "definitions": answer.body})

    def after_fork(self) -> None:
        self._asking = threading.Lock()

    def _take(self, definitions: dict[str, Any]) -> None:
        flags = compile_definitions(definitions)
        before, self._definitions, self._flags = self._definitions, definitions, flags
        if flags.problems:
            first = flags.problems[0]
            message = (
                f"{len(flags.problems)} parts of the definitions cannot be used; "
                f"the first: {first.pointer}: {first.detail}"
            )
            self._options.failed(GatelineError("definitions_invalid", message, problems=flags.problems))
        keys = _changed(before, definitions)
        if keys:
            self._options.changed(keys)


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Says which flags are not as they were; if segments changed, every flag may be another one."""
    was, now = before.get("flags") or {}, after.get("flags") or {}
    if (before.get("segments") or {}) != (after.get("segments") or {}):
        return list({**was, **now})
    return changed_keys(was, now)


def _bare(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')
