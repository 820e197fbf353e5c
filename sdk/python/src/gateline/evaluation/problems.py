"""What is wrong with definitions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with definitions, and where."""

    #: The place, as a JSON Pointer (RFC 6901) into the definitions.
    pointer: str
    #: A stable name of the reason.
    code: str
    #: What is wrong, for people.
    detail: str


class Problems:
    """What was found so far."""

    def __init__(self) -> None:
        self.all: list[Problem] = []

    def add(self, pointer: str, code: str, detail: str) -> None:
        """Notes one more."""
        self.all.append(Problem(pointer, code, detail))


def part(key: str) -> str:
    """Writes a key as a part of a JSON Pointer."""
    return key.replace("~", "~0").replace("/", "~1")
