"""Shares of all units: which unit somebody is, and where it stands among all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateline.evaluation.orders import Order, is_dialect, order_of_gate
from gateline.evaluation.reading import CODE, Part, is_number
from gateline.evaluation.subject import Subject
from gateline.evaluation.texts import text_of

#: How many parts of a percent weights may have.
PARTS = 1000
#: The fields of a gate.
GATE = ("key", "by", "or_by", "dialect", "parts")


class Units(NamedTuple):
    """The attributes that say which unit it is."""

    #: The first, or in its place the first that is there and not empty.
    names: Sequence[str] = ()
    #: Whether an empty text is a unit.
    with_empty: bool = False


@dataclass(frozen=True)
class Gate:
    """Lets a share of all units pass."""

    order: Order
    by: Units
    #: First and last place of each part, the last one not in it.
    parts: Sequence[tuple[int, int]]

    def is_open(self, subject: Subject, parts: Sequence[tuple[int, int]] | None = None) -> bool:
        """Whether it lets a subject pass; with parts, whether a subject is in one of those."""
        found = unit_among(subject, self.by)
        place = self.order.of_nobody if found is None else self.order.of(found[0])
        if place is None:
            return False
        return any(first <= place < last for first, last in (self.parts if parts is None else parts))


def gate_of(gate: Part) -> Gate:
    """Compiles a share of all units."""
    order = order_of_gate(dialect_of(gate), gate.text("key"))
    parts = parts_of(gate, order)
    return Gate(order, units_of(gate.text("by"), gate.texts("or_by"), is_native=order.is_native), parts)


def parts_of(source: Part, order: Order) -> Sequence[tuple[int, int]]:
    """Reads parts of all units: first and last place of each."""
    parts = []
    for number, ends in enumerate(source.list("parts")):
        first, last = map(thousandths, ends) if isinstance(ends, list) and len(ends) == 2 else (None, None)
        # A part ends where a place ends.
        if first is None or last is None or first > last or first % order.step or last % order.step:
            detail = f"{ends} is no part of 0 to 100 in steps of {order.step / PARTS}."
            source.wrong(f"/parts/{number}", "out_of_range", detail)
        else:
            parts.append((order.first_place(first), order.first_place(last)))
    return parts


def dialect_of(source: Part) -> str:
    """Reads how units are put in order."""
    dialect = source.text_if_any("dialect")
    if dialect is None:
        return "native"
    if not is_dialect(dialect):
        detail = f"The dialect `{dialect}` is not known here; a newer version may know it."
        source.wrong("/dialect", CODE, detail)
    return dialect


def units_of(first: str, others: Sequence[str], *, is_native: bool) -> Units:
    """Says which attributes tell the unit. An empty text is one only where it always has been."""
    return Units((first, *others), with_empty=is_native and not others)


def thousandths(percent: Any) -> int | None:
    """Reads a percentage in thousandths of a percent."""
    if not is_number(percent) or not 0 <= percent <= 100:
        return None
    parts = percent * PARTS
    whole = math.floor(parts + 0.5)
    return whole if abs(parts - whole) < 1e-6 else None


def unit_of(subject: Subject, by: str) -> str | None:
    """Says the unit that an attribute names."""
    value = subject.attributes.get(by)
    return None if value is None else text_of(value)


def unit_among(subject: Subject, by: Units) -> tuple[str, str] | None:
    """Says which unit it is, and by which attribute."""
    for name in by.names:
        unit = unit_of(subject, name)
        if unit is not None and (unit or by.with_empty):
            return unit, name
    return None
