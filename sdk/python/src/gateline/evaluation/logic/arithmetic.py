"""Arithmetic, as the server counts: texts may be numbers, `null` and an empty text are 0, and all else fails."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import TypeAlias

from gateline.evaluation.logic.nodes import Node, Operate, Scope, is_written_list
from gateline.evaluation.logic.values import Data, LogicError, Number, counted, number_of, whole_of
from gateline.evaluation.reading import is_number

#: Makes one number of two.
_Combine: TypeAlias = Callable[[Number, Number], Number]

_GREATEST = 1.7976931348623157e308


def _numeric(value: Data) -> Number:
    found = number_of(value)
    if found is None:
        raise LogicError("it is no number")
    return found


def _asked(nodes: Sequence[Node], scope: Scope) -> tuple[Sequence[Data], bool]:
    """Says what an operator is asked about, and whether that is the list that its only argument is."""
    found = [node.evaluate(scope) for node in nodes]
    if len(found) == 1 and isinstance(found[0], list):
        return found[0], True
    return found, False


def _refuse_list(nodes: Sequence[Node]) -> None:
    """Takes no list that is written down as the only argument: whoever wrote it meant something else."""
    if is_written_list(nodes):
        raise LogicError("a list is no number")


def _combined(combine: _Combine, one: Number, other: Number) -> Number:
    """Combines whole numbers exactly as long as they have 64 bits, and others as floats."""
    if isinstance(one, int) and isinstance(other, int):
        found = combine(one, other)
        if counted(found) is found:
            return found
    return counted(combine(float(one), float(other)))


def _fold(combine: _Combine, numbers: Sequence[Number]) -> Number:
    """Combines numbers one after the other."""
    return reduce(lambda one, other: _combined(combine, one, other), numbers)


def _adds_up(combine: _Combine, first: Number) -> Operate:
    def operate(nodes: Sequence[Node], scope: Scope) -> Data:
        _refuse_list(nodes)
        found, _ = _asked(nodes, scope)
        return _fold(combine, [first, *map(_numeric, found)])

    return operate


def _subtract(nodes: Sequence[Node], scope: Scope) -> Data:
    found, is_list = _asked(nodes, scope)
    numbers = list(map(_numeric, found))
    if not numbers:
        raise LogicError("there is nothing to subtract from")
    if len(numbers) == 1 and not is_list:
        numbers.insert(0, 0)
    return _fold(operator.sub, numbers)


def _divides(combine: Callable[[float, float], float], *, is_rest: bool) -> Operate:
    """Makes division, or what is left of it."""

    def operate(nodes: Sequence[Node], scope: Scope) -> Data:
        if len(nodes) != 1:
            return _divide((node.evaluate(scope) for node in nodes), combine, len(nodes))
        only = nodes[0].evaluate(scope)
        if isinstance(only, list):
            return _divide(only, combine, len(only) if is_rest else len(only) + 1)
        by = _numeric(only)
        if is_rest or by == 0:
            raise LogicError("there is nothing to divide")
        return counted(1 / float(by))

    return operate


def _divide(values: Iterable[Data], combine: Callable[[float, float], float], count: int) -> Number:
    """Divides one after the other, at least two; nothing behind a 0 is looked at.

    By it a whole number fails, and all else is as large as a number can be.
    """
    if count < 2:
        raise LogicError("there is nothing to divide")
    found: float | None = None
    divided: Data = None
    for value in values:
        by = float(_numeric(value))
        if found is None:
            found, divided = by, value
        elif by == 0:
            if whole_of(divided) is not None and whole_of(value) is not None:
                raise LogicError("nothing is divided by 0")
            return _GREATEST if found > 0 else -_GREATEST if found < 0 else 0
        else:
            found = divided = combine(found, by)
    return counted(found or 0)


def _rest(one: float, other: float) -> float:
    return math.nan if math.isinf(one) else math.fmod(one, other)


def _best(is_better: Callable[[Number, Number], bool], worst: float) -> Operate:
    """Makes what says the least or the greatest of numbers; here nothing else counts as one."""

    def operate(nodes: Sequence[Node], scope: Scope) -> Data:
        _refuse_list(nodes)
        found, is_list = _asked(nodes, scope)
        if not found or not all(map(is_number, found)):
            raise LogicError("it has numbers, and nothing else")
        if len(found) == 1 and not is_list:
            return found[0]
        best = None
        for one in found:
            if is_better(one, worst if best is None else best):
                best = one
        return best

    return operate


#: Operators by their names.
ARITHMETIC: Mapping[str, Operate] = {
    "+": _adds_up(operator.add, 0),
    "*": _adds_up(operator.mul, 1),
    "-": _subtract,
    "/": _divides(operator.truediv, is_rest=False),
    "%": _divides(_rest, is_rest=True),
    "min": _best(operator.lt, math.inf),
    "max": _best(operator.gt, -math.inf),
}
