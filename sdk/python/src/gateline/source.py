"""Where evaluations come from: definitions that are evaluated here, or answers of the server."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateline.context import Attributes
from gateline.errors import GatelineError
from gateline.transport import Transport
from gateline.types import Found


@dataclass(frozen=True)
class SourceOptions:
    """What sources share."""

    transport: Transport
    cache_path: str | os.PathLike[str] | None
    bootstrap: Any
    #: Is told what changed: the keys of flags.
    changed: Callable[[Sequence[str]], None]
    failed: Callable[[GatelineError], None]
    #: How many seconds an answer is taken for what the server would say now.
    fresh: Callable[[], float]


class Source(ABC):
    """Says what somebody gets."""

    @abstractmethod
    def is_ready_for(self, attributes: Attributes) -> bool:
        """Whether it can say what somebody gets, be it that there is no such flag."""

    @abstractmethod
    def is_fresh_for(self, attributes: Attributes) -> bool:
        """Whether what it says is what the server would say now, as far as can be known."""

    @abstractmethod
    def evaluate(self, key: str, attributes: Attributes) -> Found | None:
        """Says what somebody gets of a flag, by what is known now."""

    @abstractmethod
    def evaluate_all(self, attributes: Attributes) -> Sequence[Found]:
        """Says what somebody gets of all flags, by what is known now."""

    @abstractmethod
    def begin(self) -> None:
        """Takes what was kept, or given."""

    @abstractmethod
    def load(self, attributes: Attributes) -> None:
        """Asks for what is missing for somebody; raises `GatelineError` if that fails."""

    @abstractmethod
    def refresh(self, etag: str | None = None) -> None:
        """Asks whether something has changed; raises `GatelineError` if that fails."""

    @abstractmethod
    def after_fork(self) -> None:
        """Makes locks anew, which a thread of the other process may have held."""


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Says which keys do not have the value that they had."""
    return [key for key in {**before, **after} if before.get(key) != after.get(key)]
