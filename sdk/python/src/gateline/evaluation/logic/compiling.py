"""Compiles logic: what is written down alone is evaluated once, ahead, and what can never be reached is left out.

Not for speed: the server does so, and it shows. Of numbers that are added, those that are written down come first; and
some operators take no list that is written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

from gateline.evaluation.logic.arithmetic import ARITHMETIC
from gateline.evaluation.logic.flagd import FLAGD
from gateline.evaluation.logic.nodes import ABSENT, Listed, Node, Operator, Scope, Variable, Written, follow, path_of
from gateline.evaluation.logic.operators import LOOPS, OPERATORS
from gateline.evaluation.logic.values import Data, LogicError, is_truthy, text_of_number, whole_of
from gateline.evaluation.reading import is_number

#: Operators that are not evaluated ahead, whatever they are asked about.
_NOT_AHEAD = frozenset(("var", "missing", "missing_some", "merge", "min", "max", *LOOPS, *FLAGD))
_ALL = {**OPERATORS, **LOOPS, **ARITHMETIC, **FLAGD}
#: Operators that take a list of arguments and nothing else.
_WITH_LIST = frozenset(("if", "?:", "and", "or"))
_NOTHING = Scope(None, None)
_SLOTS = ("current.", "accumulator.")


def compile_logic(source: Any) -> Node:
    """Compiles logic; raises `LogicError` if it has no form."""
    if isinstance(source, list):
        return _ahead(Listed(tuple(map(compile_logic, source))))
    if not isinstance(source, dict) or not source:
        return Written(source)
    if len(source) != 1:
        raise LogicError("an operator is an object with one field")
    ((name, said),) = source.items()
    if name in _WITH_LIST and not isinstance(said, list):
        return Operator("", _failing(f"`{name}` has no list"), ())
    nodes = tuple(map(compile_logic, said if isinstance(said, list) else [said]))
    if name == "var":
        return _variable(nodes)
    operate = _ALL.get(name) or _failing(f"there is no operator `{name}`")
    return _ahead(_shortened(Operator(name, operate, nodes)))


def _failing(detail: str) -> Any:
    def fail(_: Sequence[Node], __: Scope) -> NoReturn:
        raise LogicError(detail)

    return fail


def _ahead(node: Node) -> Node:
    """Evaluates what can be evaluated ahead; what fails then fails when it is asked."""
    if not _is_written(node):
        return node
    try:
        return Written(node.evaluate(_NOTHING))
    except LogicError:
        return node


def _is_written(node: Node) -> bool:
    """Whether it gives the same of everybody, at all times."""
    if isinstance(node, Listed):
        return all(map(_is_written, node.nodes))
    if isinstance(node, Operator):
        is_known = node.name in _ALL and node.name not in _NOT_AHEAD
        return is_known and all(map(_is_written, node.nodes))
    return isinstance(node, Written)


def _variable(nodes: Sequence[Node]) -> Node:
    if not nodes:
        return Variable((), None)
    otherwise = nodes[1] if len(nodes) > 1 else None
    said: Data = nodes[0].value if isinstance(nodes[0], Written) else None
    if is_number(said):
        return Variable(path_of(text_of_number(said)), otherwise)
    if isinstance(said, str):
        # Nothing behind the point leads to the whole of it.
        return Variable(path_of(said.removesuffix(".") if said in _SLOTS else said), otherwise)
    return Operator("var", _read_made, nodes)


def _read_made(nodes: Sequence[Node], scope: Scope) -> Data:
    """Reads what has no path that is written down, which rules of flags may have as `null` alone: all that there is."""
    parts = [node.evaluate(scope) for node in nodes]
    if parts == [None]:
        return scope.data
    found = scope.data
    for part in parts:
        if not isinstance(part, str) and whole_of(part) is None:
            return None
        found = follow(found, path_of(part) if isinstance(part, str) else [str(part)])
    return None if found is ABSENT else found


def _shortened(node: Operator) -> Node:
    """Leaves out what is never reached, and adds up what is written down."""
    if node.name in ("if", "?:"):
        return _without_branches(node)
    if node.name in ("and", "or"):
        return _without_steps(node, decides=node.name == "or")
    return _with_sum(node) if node.name in ("+", "*") else node


def _without_branches(node: Operator) -> Node:
    """Leaves branches out whose condition is written down."""
    left: list[Node] = []
    for place in range(0, len(node.nodes), 2):
        condition, *branch = node.nodes[place : place + 2]
        if not branch or (isinstance(condition, Written) and is_truthy(condition.value)):
            left.append(branch[0] if branch else condition)
            break
        if not isinstance(condition, Written):
            left += (condition, *branch)
    if not left:
        return Written(None)
    return left[0] if len(left) == 1 else replace(node, nodes=left)


def _without_steps(node: Operator, *, decides: bool) -> Node:
    """Leaves out of `and` and `or` what is written down and decides nothing, and all behind what decides."""
    if not any(isinstance(one, Written) for one in node.nodes):
        return node
    left: list[Node] = []
    for place, one in enumerate(node.nodes):
        is_decided = isinstance(one, Written) and is_truthy(one.value) == decides
        if not isinstance(one, Written) or is_decided or place == len(node.nodes) - 1:
            left.append(one)
        if is_decided:
            break
    return left[0] if len(left) == 1 else replace(node, nodes=left)


def _with_sum(node: Operator) -> Node:
    """Adds or multiplies what is written down first, if there is something else besides."""
    known = [one for one in node.nodes if _is_written(one)]
    if len(known) < 2 or len(known) == len(node.nodes):
        return node
    summed = _ahead(replace(node, nodes=known))
    if not isinstance(summed, Written):
        return node
    return replace(node, nodes=[summed, *(one for one in node.nodes if not _is_written(one))])
