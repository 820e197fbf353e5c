"""Compiled logic: what is written down, what is read, and operators over them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from gateline.evaluation.logic.values import Data

#: What stands where nothing is; `None` is a value of JSON.
ABSENT = object()
#: Places of more letters are in no list.
_PLACE = re.compile(r"\+?[0-9]{1,20}", re.ASCII)


class Scope(NamedTuple):
    """What is there to be read."""

    #: All that is known.
    root: Data
    #: What paths lead into: all that is known; in a loop, what it has come to.
    data: Data
    #: What `reduce` has made so far, while it goes on.
    accumulator: Data = ABSENT


@dataclass(frozen=True)
class Written:
    """A value that is written down."""

    value: Data

    def evaluate(self, _: Scope) -> Data:
        return self.value


@dataclass(frozen=True)
class Listed:
    """A list of parts."""

    nodes: Sequence[Node]

    def evaluate(self, scope: Scope) -> Data:
        return [node.evaluate(scope) for node in self.nodes]


@dataclass(frozen=True)
class Variable:
    """An attribute, or a part of what a loop has come to."""

    path: Sequence[str]
    #: What stands where it is not.
    otherwise: Node | None

    def evaluate(self, scope: Scope) -> Data:
        found = self._found(scope)
        if found is not ABSENT:
            return found
        return None if self.otherwise is None else self.otherwise.evaluate(scope)

    def _found(self, scope: Scope) -> Data:
        if scope.accumulator is not ABSENT and self.is_slot():
            slot = scope.data if self.path[0] == "current" else scope.accumulator
            return follow(slot, self.path[1:])
        return follow(scope.data, self.path)

    def is_slot(self) -> bool:
        """Whether it is what `reduce` calls what it has come to, or what it has made."""
        return bool(self.path) and self.path[0] in ("current", "accumulator")


@dataclass(frozen=True)
class Operator:
    """An operator over other parts; raises `LogicError` if it cannot say what it gives."""

    name: str
    operate: Operate
    nodes: Sequence[Node]

    def evaluate(self, scope: Scope) -> Data:
        return self.operate(self.nodes, scope)


#: A part of compiled logic.
Node: TypeAlias = Written | Listed | Variable | Operator
#: Makes a value of others.
Operate: TypeAlias = Callable[[Sequence[Node], Scope], Data]


def follow(data: Data, path: Sequence[str]) -> Data:
    """Says what is at the end of a path; `ABSENT` if it leads nowhere."""
    for part in path:
        if isinstance(data, dict):
            data = data.get(part, ABSENT)
        elif isinstance(data, list) and _PLACE.fullmatch(part) and int(part) < len(data):
            data = data[int(part)]
        else:
            return ABSENT
    return data


def path_of(text: str) -> Sequence[str]:
    """Reads a path; an empty one leads to where it begins."""
    return text.split(".") if text else ()


def is_written_list(nodes: Sequence[Node]) -> bool:
    """Whether the only part is a list that is written down, and not one that is read."""
    if len(nodes) != 1:
        return False
    node = nodes[0]
    return isinstance(node, Listed) or (isinstance(node, Written) and isinstance(node.value, list))
