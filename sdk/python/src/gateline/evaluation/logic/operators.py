"""JSONLogic's operators but for arithmetic: decisions, comparisons, texts, and what goes through lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateline.evaluation.logic.nodes import ABSENT, Node, Operate, Operator, Scope, Variable, Written, follow, path_of
from gateline.evaluation.logic.values import (
    Data,
    LogicError,
    are_equal,
    are_same,
    compare,
    is_truthy,
    text_of_data,
    whole_of,
)
from gateline.evaluation.reading import is_number

_Nodes = Sequence[Node]


def _each(nodes: _Nodes, scope: Scope) -> list[Data]:
    return [node.evaluate(scope) for node in nodes]


def _decide(nodes: _Nodes, scope: Scope) -> Data:
    for place in range(0, len(nodes), 2):
        condition = nodes[place].evaluate(scope)
        if place + 1 == len(nodes):
            return condition
        if is_truthy(condition):
            return nodes[place + 1].evaluate(scope)
    return None


def _goes_on(*, while_true: bool) -> Operate:
    """Makes what goes on as long as values count as true, or as false, and says the last."""

    def operate(nodes: _Nodes, scope: Scope) -> Data:
        found = None
        for node in nodes:
            found = node.evaluate(scope)
            if is_truthy(found) != while_true:
                break
        return found

    return operate


def _at_least_two(nodes: _Nodes) -> _Nodes:
    if len(nodes) < 2:
        raise LogicError("there is nothing to compare with")
    return nodes


def _all_equal(holds: Callable[[Data, Data], bool]) -> Operate:
    """Makes what says whether all values are equal to the first."""

    def operate(nodes: _Nodes, scope: Scope) -> Data:
        first, *others = _at_least_two(nodes)
        found = first.evaluate(scope)
        return all(holds(found, node.evaluate(scope)) for node in others)

    return operate


def _differ(holds: Callable[[Data, Data], bool]) -> Operate:
    """Makes what says whether the first two values are not equal; no more are looked at."""
    return lambda nodes, scope: not holds(*_each(_at_least_two(nodes)[:2], scope))


def _in_order(holds: Callable[[int], bool]) -> Operate:
    """Makes what says whether each value stands in an order to the next."""

    def operate(nodes: _Nodes, scope: Scope) -> Data:
        first, *others = _at_least_two(nodes)
        before = first.evaluate(scope)
        for node in others:
            found = node.evaluate(scope)
            order = compare(before, found)
            if order is None or not holds(order):
                return False
            before = found
        return True

    return operate


def _is_in(nodes: _Nodes, scope: Scope) -> Data:
    if len(nodes) < 2:
        return False
    wanted, found = _each(nodes[:2], scope)
    if isinstance(found, str):
        return isinstance(wanted, str) and wanted in found
    return isinstance(found, list) and any(are_same(one, wanted) for one in found)


def _join(nodes: _Nodes, scope: Scope) -> Data:
    texts = _each(nodes, scope)
    return "".join("".join(map(text_of_data, one)) if isinstance(one, list) else text_of_data(one) for one in texts)


def _cut(nodes: _Nodes, scope: Scope) -> Data:
    """Cuts a part out of a text, by characters; places and lengths below 0 count from its end."""
    if not nodes:
        return ""
    said, first, length = (*_each(nodes[:3], scope), None, None)[:3]
    text, begin, count = text_of_data(said), whole_of(first) or 0, whole_of(length)
    if begin < 0:
        begin = max(len(text) + begin, 0)
    end = begin + count if count is not None and count >= 0 else len(text) + (count or 0)
    return text[begin : max(end, begin)]


def _merge(nodes: _Nodes, scope: Scope) -> Data:
    lists = (one if isinstance(one, list) else [one] for one in _each(nodes, scope))
    return [one for each in lists for one in each if one is not None]


def _missing(nodes: _Nodes, scope: Scope) -> Data:
    """Says which paths lead nowhere; some may stand in a list."""
    lists = (one if isinstance(one, list) else [one] for one in _each(nodes, scope))
    return _away([one for each in lists for one in each], scope)


def _away(paths: Sequence[Data], scope: Scope) -> list[str]:
    return [path for path in paths if isinstance(path, str) and follow(scope.data, path_of(path)) is ABSENT]


def _missing_some(nodes: _Nodes, scope: Scope) -> Data:
    """Says which paths lead nowhere, or none of them if enough lead somewhere."""
    if len(nodes) < 2:
        return []
    wanted = _least(nodes[0], scope)
    found = nodes[1].evaluate(scope)
    texts = [path for path in found if isinstance(path, str)] if isinstance(found, list) else []
    away = _away(texts, scope)
    return [] if len(texts) - len(away) >= wanted else away


def _least(node: Node, scope: Scope) -> float:
    """Says how many are enough. A number that is written down is rounded down; without one, it is 1."""
    found = node.evaluate(scope)
    if isinstance(node, Written) and is_number(found):
        return found // 1 if found > 0 else 0
    whole = whole_of(found)
    return 1 if whole is None else max(whole, 0)


def _entries(value: Data) -> Sequence[Data]:
    """Says what a loop goes through: a list, the values of an object, or nothing."""
    if isinstance(value, dict):
        return tuple(value.values())
    return value if isinstance(value, list) else ()


def _with_two(nodes: _Nodes) -> tuple[Node, Node]:
    if len(nodes) != 2:
        raise LogicError("a loop has a list and what is done with each")
    return nodes[0], nodes[1]


def _map(nodes: _Nodes, scope: Scope) -> Data:
    source, body = _with_two(nodes)
    found = source.evaluate(scope)
    entries = _entries(found) if found is None or isinstance(found, list | dict) else [found]
    return [body.evaluate(Scope(scope.root, one)) for one in entries]


def _filter(nodes: _Nodes, scope: Scope) -> Data:
    source, body = _with_two(nodes)
    found = source.evaluate(scope)

    def fits(one: Data) -> bool:
        return is_truthy(body.evaluate(Scope(scope.root, one)))

    if isinstance(found, list):
        compared = _compared_with_null(body)
        if compared is None:
            return [one for one in found if fits(one)]
        # Where nothing is, the server compares nothing: not even with `null`.
        is_away = (follow(one, compared.path) is ABSENT for one in found)
        return [one for one, away in zip(found, is_away) if (not compared.is_same if away else fits(one))]
    if isinstance(found, dict):
        return {name: one for name, one in found.items() if fits(one)}
    if found is not None:
        raise LogicError("there is nothing to go through")
    return []


class _Compared(NamedTuple):
    """The field that a condition compares with a `null` that is written down."""

    path: Sequence[str]
    is_same: bool


def _compared_with_null(node: Node) -> _Compared | None:
    if not isinstance(node, Operator) or node.name not in ("===", "!==") or len(node.nodes) != 2:
        return None
    one, other = node.nodes if isinstance(node.nodes[0], Variable) else reversed(node.nodes)
    if not isinstance(one, Variable) or one.otherwise is not None or not one.path or one.is_slot():
        return None
    is_null = isinstance(other, Written) and other.value is None
    return _Compared(one.path, is_same=node.name == "===") if is_null else None


def _reduce(nodes: _Nodes, scope: Scope) -> Data:
    if not 2 <= len(nodes) <= 3:
        raise LogicError("`reduce` has a list, what is done with each, and where it begins")
    accumulator = nodes[2].evaluate(scope) if len(nodes) == 3 else None
    found = nodes[0].evaluate(scope)
    body, entries = nodes[1], _entries(found)
    if isinstance(found, list) and _is_sum(body, entries, accumulator):
        body = _with_whole_accumulator(body)
    for one in entries:
        accumulator = body.evaluate(Scope(scope.root, one, accumulator))
    return accumulator


def _is_sum(body: Node, entries: Sequence[Data], first: Data) -> bool:
    """Whether a loop adds, subtracts or multiplies numbers, and nothing else.

    The server takes the accumulator as it is then, whatever path into it is written down.
    """
    if not isinstance(body, Operator) or body.name not in ("+", "-", "*") or len(body.nodes) != 2:
        return False
    paths = {node.path[0]: node.path[1:] for node in body.nodes if isinstance(node, Variable) and node.is_slot()}
    if len(paths) < 2:
        return False
    return is_number(first) and all(is_number(follow(one, paths["current"])) for one in entries)


def _with_whole_accumulator(body: Node) -> Node:
    if isinstance(body, Variable) and body.path[0] == "accumulator":
        return replace(body, path=("accumulator",))
    return replace(body, nodes=tuple(map(_with_whole_accumulator, body.nodes))) if isinstance(body, Operator) else body


def _is_nowhere(nodes: _Nodes, scope: Scope, *, until: bool, of_none: bool) -> bool:
    """Whether a condition is nowhere `until`. Of no entries, it is as said."""
    source, body = _with_two(nodes)
    entries = _entries(source.evaluate(scope))
    is_there = any(is_truthy(body.evaluate(Scope(scope.root, one))) is until for one in entries)
    return not is_there if entries else of_none


#: Operators by their names.
OPERATORS: Mapping[str, Operate] = {
    "if": _decide,
    "?:": _decide,
    "and": _goes_on(while_true=True),
    "or": _goes_on(while_true=False),
    "!": lambda nodes, scope: not nodes or not is_truthy(nodes[0].evaluate(scope)),
    "!!": lambda nodes, scope: bool(nodes) and is_truthy(nodes[0].evaluate(scope)),
    "==": _all_equal(are_equal),
    "===": _all_equal(are_same),
    "!=": _differ(are_equal),
    "!==": _differ(are_same),
    ">": _in_order(lambda order: order > 0),
    ">=": _in_order(lambda order: order >= 0),
    "<": _in_order(lambda order: order < 0),
    "<=": _in_order(lambda order: order <= 0),
    "in": _is_in,
    "cat": _join,
    "substr": _cut,
    "merge": _merge,
    "missing": _missing,
    "missing_some": _missing_some,
}

#: Operators that go through a list, by their names.
LOOPS: Mapping[str, Operate] = {
    "map": _map,
    "filter": _filter,
    "reduce": _reduce,
    "all": lambda nodes, scope: _is_nowhere(nodes, scope, until=False, of_none=False),
    "some": lambda nodes, scope: not _is_nowhere(nodes, scope, until=True, of_none=True),
    "none": lambda nodes, scope: _is_nowhere(nodes, scope, until=True, of_none=True),
}
