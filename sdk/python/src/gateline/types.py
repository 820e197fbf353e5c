"""What the SDK answers, and flags with a type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

T = TypeVar("T")

#: Why the default was given: there is no such flag, or not for this key; its value is of another type than the default;
#: nothing came from the server yet, and nothing was kept; something of this SDK failed.
DetailsError = Literal["flag_not_found", "type_mismatch", "not_ready", "internal"]


@dataclass(frozen=True)
class Flag(Generic[T]):
    """A flag's key with its default, which says the type: ``COLOUR = Flag("colour", "blue")``."""

    key: str
    default: T


@dataclass(frozen=True)
class Details(Generic[T]):
    """What somebody gets of a flag, and why."""

    key: str
    value: T
    #: The value of a boolean flag; of others, whether the variant is another than that of ``off``.
    enabled: bool
    #: ``static``, ``targeting_match``, ``split``, ``default``, ``disabled``, ``prerequisite_failed``, ``unit_missing``;
    #: ``error`` if the default was given, or the flag's logic went wrong.
    reason: str
    variant: str | None = None
    #: The rule that was for them: its name, or its place from 1 as ``#2``.
    rule: str | None = None
    flag_version: int | None = None
    #: The same for the same unit, flag, environment and variant, if the server evaluated it.
    assignment_id: str | None = None
    error: DetailsError | None = None


class Found(NamedTuple):
    """What a source of evaluations knows."""

    key: str
    enabled: bool
    variant: str
    value: Any
    reason: str
    rule: str | None
    flag_version: int
    assignment_id: str | None = None
    #: The attribute that says which unit it is, if that decided.
    by: str | None = None
