"""Reads parts of definitions, and notes what is not of the form that they must have.

What is not known here is refused: an answer that leaves out a part of what somebody wrote down would be a wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateline.evaluation.problems import Problems

CODE = "definition_invalid"


class Part:
    """A JSON object of a definition, and its place."""

    __slots__ = ("fields", "pointer", "problems")

    def __init__(self, source: Any, pointer: str, known: Sequence[str] | None, problems: Problems) -> None:
        """Takes an object in; with `known`, it may have these fields and no others."""
        self.pointer = pointer
        self.problems = problems
        self.fields: Mapping[str, Any] = source if isinstance(source, dict) else {}
        if not isinstance(source, dict):
            self.wrong("", CODE, "It is no object.")
        for name in self.fields:
            if known is not None and name not in known:
                self.wrong(f"/{name}", CODE, f"`{name}` is not known here; a newer version may know it.")

    def wrong(self, place: str, code: str, detail: str) -> None:
        """Notes what is wrong at a place of it."""
        self.problems.add(self.pointer + place, code, detail)

    def text(self, name: str) -> str:
        """Says a text that must be there."""
        found = self.fields.get(name)
        if not isinstance(found, str):
            self.wrong(f"/{name}", CODE, f"`{name}` must be a text.")
            return ""
        return found

    def text_if_any(self, name: str) -> str | None:
        """Says a text that may be there."""
        return None if self.fields.get(name) is None else self.text(name)

    def boolean(self, name: str, *, otherwise: bool) -> bool:
        """Says a boolean, or what it is if it is not there."""
        found = self.fields.get(name, otherwise)
        if not isinstance(found, bool):
            self.wrong(f"/{name}", CODE, f"`{name}` must be true or false.")
            return otherwise
        return found

    def list(self, name: str) -> Sequence[Any]:
        """Says a list, which is empty if it is not there."""
        found = self.fields.get(name, [])
        if not isinstance(found, list):
            self.wrong(f"/{name}", CODE, f"`{name}` must be a list.")
            return ()
        return found

    def texts(self, name: str) -> Sequence[str]:
        """Says a list of texts."""
        found = self.list(name)
        for place, one in enumerate(found):
            if not isinstance(one, str):
                self.wrong(f"/{name}/{place}", CODE, "It must be a text.")
                return ()
        return found

    def object(self, name: str) -> Mapping[str, Any]:
        """Says an object, which is empty if it is not there."""
        found = self.fields.get(name, {})
        if not isinstance(found, dict):
            self.wrong(f"/{name}", CODE, f"`{name}` must be an object.")
            return {}
        return found


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
