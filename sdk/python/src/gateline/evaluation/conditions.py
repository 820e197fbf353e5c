"""Conditions, compiled into functions of a subject."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from gateline.evaluation.gates import GATE, gate_of
from gateline.evaluation.moments import micros, moment, span_of
from gateline.evaluation.networks import Network, address
from gateline.evaluation.patterns import Pattern, PatternError
from gateline.evaluation.problems import Problems
from gateline.evaluation.reading import CODE, Part
from gateline.evaluation.semver import Version, short_version, version
from gateline.evaluation.subject import Subject
from gateline.evaluation.texts import Value, number, small, text_of, trim

#: Conditions within conditions.
DEPTH_MAX = 16
_TEST = ("attribute", "op", "values", "ignore_case", "text_only", "short")
#: What conditions are, but for those on an attribute.
_KINDS = ("all", "any", "not", "segment", "during", "share", "element")
#: What may stand beside them.
_BESIDE = {"element": ("fits",)}
#: What single elements of lists, which are texts, can be compared by.
_OF_ELEMENTS = ("in", "not_in", "starts_with", "ends_with", "contains", "matches")
_SIZE_MAX = 2**32 - 1
_KIND_OF: dict[str, type] = {"text": str, "number": float, "boolean": bool, "list": tuple}

Fits = Callable[[Subject], bool]
_FitsValue = Callable[[Value], bool]
_Ordered = TypeVar("_Ordered", float, Version)

_MANY = 1 << 30
#: How many values a comparison can have.
_COUNTS = {
    "in": (0, _MANY),
    "not_in": (0, _MANY),
    "has_all": (0, _MANY),
    "is_present": (0, 0),
    "is_absent": (0, 0),
    **dict.fromkeys(("starts_with", "ends_with", "contains", "matches", "eq", "modulo"), (1, _MANY)),
    **dict.fromkeys(("semver_eq", "in_network", "size_eq", "is_kind"), (1, _MANY)),
    **dict.fromkeys(("gt", "gte", "lt", "lte", "before", "after", "size_gt", "size_lt"), (1, 1)),
    **dict.fromkeys(("semver_gt", "semver_gte", "semver_lt", "semver_lte"), (1, 1)),
}


class Compiler:
    """Compiles the conditions of one flag or segment."""

    def __init__(self, segments: Mapping[str, Fits | None], problems: Problems) -> None:
        #: Segments by their keys: those that are not compiled yet are none.
        self.segments = segments
        self.problems = problems
        #: Which segments the conditions name, each time that they do, with the place.
        self.named: list[tuple[str, str]] = []
        #: The list whose elements are spoken of, within a condition on one.
        self._list: str | None = None

    def condition(self, source: Any, pointer: str, depth: int = 0) -> Fits:
        """Compiles a condition; what is wrong is noted under the pointer, and the rest is of no use then."""
        if depth > DEPTH_MAX:
            self.problems.add(pointer, "too_deep", f"Conditions are nested more than {DEPTH_MAX} deep.")
            return _nobody
        kind = next((name for name in _KINDS if isinstance(source, dict) and name in source), None)
        if kind is None:
            return self._test(Part(source, pointer, _TEST, self.problems))
        part = Part(source, pointer, (kind, *_BESIDE.get(kind, ())), self.problems)
        if self._list is not None and kind not in ("all", "any", "not"):
            part.wrong("", "element_invalid", "An element is compared by `all`, `any`, `not` and comparisons only.")
            return _nobody
        if kind == "element":
            return self._element(part, depth)
        if kind == "segment":
            return self._segment(part.text("segment"), f"{pointer}/segment")
        if kind == "during":
            return _during(Part(part.fields["during"], f"{pointer}/during", ("from", "until"), self.problems))
        if kind == "share":
            return gate_of(Part(part.fields["share"], f"{pointer}/share", GATE, self.problems)).is_open
        if kind == "not":
            inside = self.condition(source["not"], f"{pointer}/not", depth + 1)
            return lambda subject: not inside(subject)
        each = [
            self.condition(one, f"{pointer}/{kind}/{place}", depth + 1) for place, one in enumerate(part.list(kind))
        ]
        return _all(each) if kind == "all" else _any(each)

    def _element(self, part: Part, depth: int) -> Fits:
        """Whether something holds of one element of a list: the attribute is that element then."""
        name = part.text("element")
        self._list = name
        fits = self.condition(part.fields.get("fits"), f"{part.pointer}/fits", depth + 1)
        self._list = None

        def check(subject: Subject) -> bool:
            found = subject.attributes.get(name)
            return isinstance(found, tuple) and any(fits(Subject({name: one}, subject.now_micros)) for one in found)

        return check

    def _segment(self, key: str, pointer: str) -> Fits:
        if key not in self.segments:
            self.problems.add(pointer, "segment_unknown", f"There is no segment `{key}`.")
            return _nobody
        self.named.append((key, pointer))
        segments = self.segments

        def fits(subject: Subject) -> bool:
            segment = segments[key]
            return segment is not None and segment(subject)

        return fits

    def _test(self, part: Part) -> Fits:
        name, op, values = part.text("attribute"), part.text("op"), part.texts("values")
        ignore_case = part.boolean("ignore_case", otherwise=False)
        text_only = part.boolean("text_only", otherwise=False)
        if op not in _COUNTS:
            part.wrong("/op", CODE, f"The comparison `{op}` is not known here; a newer version may know it.")
            return _nobody
        if self._list is not None and (name != self._list or op not in _OF_ELEMENTS):
            detail = f"Of an element of `{self._list}`, itself is compared, and by {', '.join(_OF_ELEMENTS)} only."
            part.wrong("", "element_invalid", detail)
            return _nobody
        least, most = _COUNTS[op]
        if not least <= len(values) <= most:
            wanted = {0: "no values", 1: "one value"}.get(most, "at least one value")
            part.wrong("/values", "values_count", f"This comparison needs {wanted}, and there are {len(values)}.")
            return _nobody
        if part.boolean("short", otherwise=False) and not op.startswith("semver_"):
            part.wrong("/short", "value_invalid", "Only versions can be short.")
        check = self._check(op, values, part, ignore_case)
        fits_nothing = op in ("not_in", "is_absent")

        def fits(subject: Subject) -> bool:
            value = subject.attributes.get(name)
            is_there = value is not None and (not text_only or isinstance(value, str))
            return check(value) if value is not None and is_there else fits_nothing

        return fits

    def _check(self, op: str, values: Sequence[str], part: Part, ignore_case: bool) -> _FitsValue:
        if op in ("is_present", "is_absent"):
            return lambda _: op == "is_present"
        if op in ("in", "not_in"):
            return _in(values, op == "in", ignore_case)
        if op in ("starts_with", "ends_with", "contains"):
            return _text(op, values, ignore_case)
        if op == "has_all":
            return _has_all(values, ignore_case)
        if op == "matches":
            return _matches(self._patterns(values, part, ignore_case))
        if op == "in_network":
            return _in_network(_each(values, part, "an address or a network, as `10.0.0.0/8`", Network.read))
        if op.startswith("size_"):
            sizes = _each(values, part, "a whole number, as `2`", _whole_size)
            return _ordered(op.removeprefix("size_"), sizes, _size_of)
        if op == "is_kind":
            kinds = _each(values, part, "one of `text`, `number`, `boolean` and `list`", _KIND_OF.get)
            return lambda value: any(isinstance(value, kind) for kind in kinds)
        if op == "modulo":
            return _leaves(_each(values, part, "a divisor and a lesser remainder, as `10|3`", _division))
        if op in ("before", "after"):
            return _moment(op, _each(values, part, "a moment, as `2026-11-22T10:00:00Z`", moment))
        if op.startswith("semver_"):
            return _versions(op.removeprefix("semver_"), values, part)
        return _ordered(op, _each(values, part, "a number", number), number)

    def _patterns(self, values: Sequence[str], part: Part, ignore_case: bool) -> list[Pattern]:
        found = []
        for place, value in enumerate(values):
            try:
                found.append(Pattern(value, ignore_case=ignore_case))
            except PatternError as error:
                detail = f"`{value}` is not a regular expression that can be matched: {error}."
                part.wrong(f"/values/{place}", "value_invalid", detail)
        return found


def _during(part: Part) -> Fits:
    """Reads a span of time, which has a beginning or an end."""
    first, last = span_of(part)
    if part.fields.get("from") is None and part.fields.get("until") is None:
        part.wrong("", "value_invalid", "It says `from`, `until` or both.")
    return lambda subject: first <= subject.now_micros < last


def _nobody(_: Subject) -> bool:
    return False


def _all(each: Sequence[Fits]) -> Fits:
    def fits(subject: Subject) -> bool:
        for one in each:
            if not one(subject):
                return False
        return True

    return fits


def _any(each: Sequence[Fits]) -> Fits:
    def fits(subject: Subject) -> bool:
        for one in each:
            if one(subject):
                return True
        return False

    return fits


_Read = TypeVar("_Read")


def _each(values: Sequence[str], part: Part, what: str, read: Callable[[str], _Read | None]) -> list[_Read]:
    found = []
    for place, value in enumerate(values):
        one = read(value)
        if one is None:
            part.wrong(f"/values/{place}", "value_invalid", f"`{value}` is not {what}.")
        else:
            found.append(one)
    return found


def _of_text(fits: Callable[[str], bool]) -> _FitsValue:
    """Whether a text of the value fits: its own, or one of a list's."""

    def check(value: Value) -> bool:
        if isinstance(value, tuple):
            return any(map(fits, value))
        text = text_of(value)
        return text is not None and fits(text)

    return check


def _in(values: Sequence[str], wanted: bool, ignore_case: bool) -> _FitsValue:
    known = frozenset(map(small, values) if ignore_case else values)
    is_in = _of_text((lambda text: small(text) in known) if ignore_case else known.__contains__)
    return is_in if wanted else lambda value: not is_in(value)


def _text(op: str, values: Sequence[str], ignore_case: bool) -> _FitsValue:
    known = tuple(map(small, values) if ignore_case else values)

    def fits(text: str) -> bool:
        text = small(text) if ignore_case else text
        if op == "starts_with":
            return text.startswith(known)
        return text.endswith(known) if op == "ends_with" else any(value in text for value in known)

    return _of_text(fits)


def _has_all(values: Sequence[str], ignore_case: bool) -> _FitsValue:
    known = frozenset(map(small, values) if ignore_case else values)

    def check(value: Value) -> bool:
        if not isinstance(value, tuple):
            return False
        return known.issubset(map(small, value) if ignore_case else value)

    return check


def _matches(patterns: Sequence[Pattern]) -> _FitsValue:
    return _of_text(lambda text: any(pattern.is_in(text) for pattern in patterns))


def _in_network(networks: Sequence[Network]) -> _FitsValue:
    def fits(text: str) -> bool:
        one = address(trim(text))
        return one is not None and any(network.has(one) for network in networks)

    return _of_text(fits)


def _moment(op: str, moments: Sequence[int]) -> _FitsValue:
    def check(value: Value) -> bool:
        found = micros(value)
        if found is None:
            return False
        return any(found < one if op == "before" else found > one for one in moments)

    return check


def _whole_size(text: str) -> float | None:
    """Reads how many entries a list has."""
    is_whole = text.isascii() and text.isdigit() and len(text) <= len(str(_SIZE_MAX))
    return float(text) if is_whole and int(text) <= _SIZE_MAX else None


def _size_of(value: Value) -> float | None:
    return float(len(value)) if isinstance(value, tuple) else None


def _versions(op: str, values: Sequence[str], part: Part) -> _FitsValue:
    """Compares versions, which may be short if that is said."""
    if part.fields.get("short") is not True:
        known = _each(values, part, "a version, as `2.1.0`", version)
        return _ordered(op, known, lambda value: version(value) if isinstance(value, str) else None)
    known = _each(values, part, "a version, as `2.1`", short_version)
    return _ordered(op, known, lambda value: short_version(value) if isinstance(value, str) else None)


def _division(text: str) -> tuple[float, float] | None:
    """Reads ``10|3``: a divisor and a remainder."""
    first, _, second = text.partition("|")
    by, rest = number(first), number(second)
    return (by, rest) if by is not None and rest is not None and 0 <= rest < by else None


def _leaves(divisions: Sequence[tuple[float, float]]) -> _FitsValue:
    """Whether a number leaves a remainder that is never negative."""

    def check(value: Value) -> bool:
        found = number(value)
        if found is None:
            return False
        rests = ((math.fmod(found, by), by, wanted) for by, wanted in divisions)
        return any((rest + by if rest < 0 else rest) == wanted for rest, by, wanted in rests)

    return check


def _ordered(op: str, values: Sequence[_Ordered], read: Callable[[Value], _Ordered | None]) -> _FitsValue:
    def check(value: Value) -> bool:
        found = read(value)
        return found is not None and any(_is(op, found, one) for one in values)

    return check


def _is(op: str, found: _Ordered, one: _Ordered) -> bool:
    if op == "eq":
        return found == one
    if op == "gt":
        return found > one
    if op == "gte":
        return found >= one
    return found < one if op == "lt" else found <= one
