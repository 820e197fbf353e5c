"""Flags, compiled: a set is made once and asked by many at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateline.evaluation.bucketing import Bucketing, Shares
from gateline.evaluation.conditions import Fits
from gateline.evaluation.gates import Gate, Units, unit_among, unit_of
from gateline.evaluation.logic import Logic, LogicError
from gateline.evaluation.orders import Order
from gateline.evaluation.problems import Problem
from gateline.evaluation.rollout import Rollout
from gateline.evaluation.subject import Subject


class Variant(NamedTuple):
    """One of a flag's values, and what it is called."""

    name: str
    value: Any


class Kept(NamedTuple):
    """An earlier split, and who keeps it."""

    gate: Gate
    parts: Sequence[tuple[int, int]]
    shares: Shares


class Buckets(NamedTuple):
    """Parts of all units in an order."""

    order: Order
    #: Before which place each part ends.
    ends: Sequence[int]
    #: The variant that each gets, if it is for them.
    variants: Sequence[int | None]

    def variant(self, place: int) -> int | None:
        """Says the variant of a place, if it has one."""
        return self.variants[bisect_right(self.ends, place)]


@dataclass(frozen=True)
class Outcome:
    """What those get who came here: one variant, what logic names, or a part of a split, of buckets, of a share that grows."""

    serve: int = 0
    shares: Shares | None = None
    rollout: Rollout | None = None
    buckets: Buckets | None = None
    kept: Sequence[Kept] = ()
    logic: Logic | None = None
    by: Units = Units()

    def place(self, unit_hash: int, subject: Subject) -> int:
        """Says the place of the variant on which a unit's hash falls."""
        if self.rollout is not None:
            return self.rollout.place(unit_hash, subject.now_micros)
        for gate, parts, shares in self.kept:
            if gate.is_open(subject, parts):
                return shares.place(unit_hash)
        return self.serve if self.shares is None else self.shares.place(unit_hash)


@dataclass(frozen=True)
class Override:
    """The variant of single units."""

    by: str
    values: frozenset[str]
    variant: int


class Needed(NamedTuple):
    """What another flag must give."""

    flag: str
    variants: frozenset[str]


@dataclass(frozen=True)
class Rule:
    """Who gets what."""

    name: str | None
    when: Fits | None
    #: From when on and until when it holds, in microseconds.
    window: tuple[float, float]
    gates: Sequence[Gate]
    #: What other flags must give; otherwise it is not for them.
    requires: Sequence[Needed]
    outcome: Outcome

    def fits(self, subject: Subject) -> bool:
        """Whether it is for a subject now."""
        first, last = self.window
        if not first <= subject.now_micros < last:
            return False
        if self.when is not None and not self.when(subject):
            return False
        return all(gate.is_open(subject) for gate in self.gates)


@dataclass(frozen=True)
class Flag:
    """A flag of an environment."""

    key: str
    version: int
    is_boolean: bool
    enabled: bool
    #: In the order of their names, by which splits hand units out.
    variants: Sequence[Variant]
    off: int
    prerequisites: Sequence[Needed]
    overrides: Sequence[Override]
    rules: Sequence[Rule]
    otherwise: Outcome
    bucketing: Bucketing


class Evaluation(NamedTuple):
    """What a subject got."""

    key: str
    #: The value of a boolean flag; of others, whether the variant is another than that of ``off``.
    enabled: bool
    variant: str
    value: Any
    #: ``static``, ``targeting_match``, ``split``, ``default``, ``disabled``, ``prerequisite_failed``,
    #: ``unit_missing``, ``error``.
    reason: str
    #: The rule that was for them: its name, or its place from 1 as ``#2``.
    rule: str | None
    flag_version: int
    #: The attribute that says which unit it is, and the unit, if that decided.
    by: str | None = None
    unit: str | None = None


_Decision = tuple[int, str, int | None]


class Flags:
    """All flags of an environment that can be evaluated here, and what is wrong with the others."""

    def __init__(self, flags: Mapping[str, Flag], problems: Sequence[Problem]) -> None:
        self._flags = flags
        self.problems = problems

    def __iter__(self) -> Iterator[str]:
        return iter(self._flags)

    def __contains__(self, key: str) -> bool:
        return key in self._flags

    def evaluate(self, key: str, subject: Subject) -> Evaluation | None:
        """Says what a subject gets of a flag; nothing if there is no such flag."""
        flag = self._flags.get(key)
        if flag is None:
            return None
        place, reason, rule = self._decide(flag, subject)
        variant = flag.variants[place]
        unit, by = None, None
        if reason == "split":
            outcome = flag.otherwise if rule is None else flag.rules[rule].outcome
            unit, by = unit_among(subject, outcome.by) or (None, None)
        return Evaluation(
            key=key,
            enabled=variant.value is True if flag.is_boolean else place != flag.off,
            variant=variant.name,
            value=variant.value,
            reason=reason,
            rule=None if rule is None else flag.rules[rule].name or f"#{rule + 1}",
            flag_version=flag.version,
            by=by,
            unit=unit,
        )

    def _are_met(self, needed: Sequence[Needed], subject: Subject) -> bool:
        """Whether other flags give what they must."""
        for key, variants in needed:
            other = self._flags[key]
            place, _, _ = self._decide(other, subject)
            if other.variants[place].name not in variants:
                return False
        return True

    def _decide(self, flag: Flag, subject: Subject) -> _Decision:
        if not flag.enabled:
            return flag.off, "disabled", None
        if not self._are_met(flag.prerequisites, subject):
            return flag.off, "prerequisite_failed", None
        for one in flag.overrides:
            unit = unit_of(subject, one.by)
            if unit is not None and unit in one.values:
                return one.variant, "targeting_match", None
        for number, rule in enumerate(flag.rules):
            if rule.fits(subject) and self._are_met(rule.requires, subject):
                given = _give(flag, rule.outcome, subject, ("targeting_match", number))
                if given is not None:
                    return given
        served = "default" if flag.rules or flag.overrides else "static"
        given = _give(flag, flag.otherwise, subject, (served, None))
        return (flag.off, "unit_missing", None) if given is None else given


def _give(flag: Flag, outcome: Outcome, subject: Subject, served: tuple[str, int | None]) -> _Decision | None:
    """Says what a subject gets of an outcome; nothing if it is not for them."""
    reason, rule = served
    if outcome.logic is not None:
        return _give_named(flag, outcome.logic, subject, served)
    if not outcome.by.names:
        return outcome.serve, reason, rule
    found = unit_among(subject, outcome.by)
    if outcome.buckets is not None:
        return _give_part(flag, outcome.buckets, found, rule)
    if found is None:
        return flag.off, "unit_missing", rule
    return outcome.place(flag.bucketing.of(found[0]), subject), "split", rule


def _give_named(flag: Flag, logic: Logic, subject: Subject, served: tuple[str, int | None]) -> _Decision | None:
    """Says what a subject gets by logic: the variant of ``off`` where that goes wrong, or names none."""
    reason, rule = served
    try:
        named = logic.named(flag.key, subject)
    except LogicError:
        return flag.off, "error", rule
    if named is None:
        return None
    for place, variant in enumerate(flag.variants):
        if variant.name == named:
            return place, reason, rule
    return flag.off, "error", rule


def _give_part(flag: Flag, buckets: Buckets, found: tuple[str, str] | None, rule: int | None) -> _Decision | None:
    order = buckets.order
    place = order.of_nobody if found is None else order.of(found[0])
    if place is None:
        return None if order.leaves_nobody else (flag.off, "unit_missing", rule)
    variant = buckets.variant(place)
    return None if variant is None else (variant, "split" if found else "unit_missing", rule)
