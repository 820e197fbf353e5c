"""Compiles definitions, as the server sends them, into flags that can be asked.

A flag that cannot be evaluated here is left out with a problem, and so is what needs it: others are not touched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from gateline.evaluation import circles
from gateline.evaluation.bucketing import WHOLE, Bucketing, Shares
from gateline.evaluation.conditions import Compiler, Fits
from gateline.evaluation.flags import (
    Buckets,
    Flag,
    Flags,
    Kept,
    Needed,
    Outcome,
    Override,
    Rule,
    Variant,
)
from gateline.evaluation.gates import GATE, PARTS, Gate, dialect_of, gate_of, parts_of, thousandths, units_of
from gateline.evaluation.logic import Logic, Refused
from gateline.evaluation.moments import moment_in, span_of
from gateline.evaluation.orders import order_of_parts, places_of
from gateline.evaluation.problems import Problem, Problems, part
from gateline.evaluation.reading import CODE, Part, is_number
from gateline.evaluation.rollout import Rollout

_FLAG = ("type", "version", "variants", "enabled", "off", "prerequisites", "overrides", "rules", "otherwise")
_KINDS = ("serve", "split", "rollout", "buckets")
_OUTCOME = (*_KINDS, "by", "or_by")
_RULE = ("name", "when", "from", "until", "gates", "requires", "sticky", "kept", "logic", *_OUTCOME)
_ROLLOUT = ("serve", "others", "start", "steps", "smooth")
_STEPS_MAX = 50
_KEPT_MAX = 20
_WEIGHTS_MAX = 2**32 - 1


def compile_definitions(definitions: Any) -> Flags:
    """Compiles definitions; what is wrong with some of the flags is in `Flags.problems`."""
    problems = Problems()
    # What an answer says beside flags and segments does not change who gets what.
    whole = Part(definitions, "", None, problems)
    segments, unusable = _segments(whole.object("segments"), problems)
    sources = whole.object("flags")
    makers = {key: _Maker(key, sources, segments) for key in sorted(sources)}
    made = {key: maker.flag() for key, maker in makers.items()}
    for maker in makers.values():
        maker.note_unusable(unusable)
    good = {key: flag for key, flag in made.items() if not makers[key].problems.all}
    needs = {key: needed for key, flag in good.items() if (needed := _needed_by(flag))}
    ways = {key: [flag for flag, _, _ in needed] for key, needed in needs.items()}
    for key, (code, detail, way) in circles.find(ways).items():
        makers[key].wrong(needs[key][way][1], code, detail)
        del good[key]
    _leave_out(good, makers)
    found = [problem for maker in makers.values() for problem in maker.problems.all]
    return Flags(good, problems.all + found)


def _needed_by(flag: Flag) -> list[tuple[str, str, int]]:
    """Says which others a flag and its rules need, and where that stands: the list, and the place in it."""
    lists = [("/prerequisites", flag.prerequisites)]
    lists += [(f"/rules/{number}/requires", rule.requires) for number, rule in enumerate(flag.rules)]
    return [(needed.flag, at, place) for at, each in lists for place, needed in enumerate(each)]


def _leave_out(good: dict[str, Flag], makers: Mapping[str, _Maker]) -> None:
    """Leaves out what needs a flag that is left out, until all that is left can be asked."""
    while True:
        broken = [
            (key, f"{at}/{place}/flag", needed)
            for key, flag in good.items()
            for needed, at, place in _needed_by(flag)
            if needed not in good
        ]
        if not broken:
            return
        for key, at, needed_key in broken:
            detail = f"The flag `{needed_key}` cannot be evaluated here."
            makers[key].wrong(at, "flag_unusable", detail)
            good.pop(key, None)


def _segments(sources: Mapping[str, Any], problems: Problems) -> tuple[dict[str, Fits | None], set[str]]:
    """Compiles segments, and says which of them are of no use."""
    segments: dict[str, Fits | None] = dict.fromkeys(sources)
    ways: dict[str, list[str]] = {}
    unusable: set[str] = set()
    for key in sorted(sources):
        pointer = f"/segments/{part(key)}"
        own = Problems()
        compiler = Compiler(segments, own)
        segment = Part(sources[key], pointer, ("when",), own)
        segments[key] = compiler.condition(segment.fields.get("when"), f"{pointer}/when")
        ways[key] = [name for name, _ in compiler.named]
        if own.all:
            unusable.add(key)
        problems.all.extend(own.all)
    for key, (code, detail, _) in circles.find({key: to for key, to in ways.items() if to}).items():
        problems.add(f"/segments/{part(key)}/when", code, detail)
        unusable.add(key)
    while more := {key for key, to in ways.items() if key not in unusable and not unusable.isdisjoint(to)}:
        unusable |= more
    return segments, unusable


class _Maker:
    """Makes one flag."""

    def __init__(self, key: str, sources: Mapping[str, Any], segments: Mapping[str, Fits | None]) -> None:
        self.key = key
        self.sources = sources
        self.problems = Problems()
        self.compiler = Compiler(segments, self.problems)
        self.source = Part(sources[key], f"/flags/{part(key)}", _FLAG, self.problems)
        self.names: Sequence[str] = sorted(self.source.object("variants"))

    def wrong(self, place: str, code: str, detail: str) -> None:
        self.source.wrong(place, code, detail)

    def note_unusable(self, segments: set[str]) -> None:
        for name, pointer in self.compiler.named:
            if name in segments:
                detail = f"The segment `{name}` cannot be evaluated here."
                self.problems.add(pointer, "segment_unusable", detail)

    def flag(self) -> Flag:
        source = self.source
        variants = source.object("variants")
        if not variants:
            self.wrong("/variants", "variants_missing", "A flag has at least one variant.")
        version = source.fields.get("version", 0)
        if not isinstance(version, int) or isinstance(version, bool) or version < 0:
            self.wrong("/version", CODE, "`version` must be a whole number.")
        type_of = source.text_if_any("type")
        are_booleans = all(isinstance(value, bool) for value in variants.values())
        return Flag(
            key=self.key,
            version=version,
            is_boolean=are_booleans if type_of is None else type_of == "boolean",
            enabled=source.boolean("enabled", otherwise=True),
            variants=tuple(Variant(name, variants[name]) for name in self.names),
            off=self._variant(source.text("off"), "/off"),
            prerequisites=self._needed(source.list("prerequisites"), "/prerequisites"),
            overrides=tuple(map(self._override, *_numbered(source.list("overrides")))),
            rules=tuple(map(self._rule, *_numbered(source.list("rules")))),
            otherwise=self._otherwise(self._part(source.fields.get("otherwise"), "/otherwise", _OUTCOME)),
            bucketing=Bucketing(self.key),
        )

    def _part(self, source: Any, place: str, known: Sequence[str]) -> Part:
        return Part(source, self.source.pointer + place, known, self.problems)

    def _variant(self, name: str, place: str) -> int:
        if name not in self.names:
            self.wrong(place, "variant_unknown", f"The flag has no variant `{name}`.")
            return 0
        return self.names.index(name)

    def _needed(self, sources: Sequence[Any], at: str) -> Sequence[Needed]:
        return tuple(self._prerequisite(source, f"{at}/{place}") for place, source in enumerate(sources))

    def _prerequisite(self, source: Any, at: str) -> Needed:
        needed = self._part(source, at, ("flag", "variants"))
        key, variants = needed.text("flag"), needed.texts("variants")
        other = self.sources.get(key)
        if not isinstance(other, dict):
            self.wrong(f"{at}/flag", "flag_unknown", f"There is no flag `{key}`.")
            return Needed(key, frozenset())
        known = other.get("variants")
        for number, name in enumerate(variants):
            if not isinstance(known, dict) or name not in known:
                detail = f"The flag `{key}` has no variant `{name}`."
                self.wrong(f"{at}/variants/{number}", "variant_unknown", detail)
        return Needed(key, frozenset(variants))

    def _override(self, source: Any, place: int) -> Override:
        at = f"/overrides/{place}"
        one = self._part(source, at, ("by", "values", "serve"))
        return Override(one.text("by"), frozenset(one.texts("values")), self._variant(one.text("serve"), f"{at}/serve"))

    def _rule(self, source: Any, place: int) -> Rule:
        at = f"/rules/{place}"
        rule = self._part(source, at, _RULE)
        when = rule.fields.get("when")
        window = span_of(rule)
        gates = tuple(
            gate_of(self._part(gate, f"{at}/gates/{number}", GATE)) for number, gate in enumerate(rule.list("gates"))
        )
        return Rule(
            name=rule.text_if_any("name"),
            when=None if when is None else self.compiler.condition(when, f"{rule.pointer}/when"),
            window=window,
            gates=gates,
            requires=self._needed(rule.list("requires"), f"{at}/requires"),
            outcome=self._kept(rule, gates, self._given(rule)),
        )

    def _given(self, rule: Part) -> Outcome:
        """Makes what a rule gives: by its logic, if it has some."""
        logic = rule.fields.get("logic")
        if logic is None:
            return self._outcome(rule)
        if rule.texts("or_by") or any(rule.fields.get(name) is not None for name in (*_KINDS, "by")):
            rule.wrong("", "outcome_invalid", "What `logic` gives is all that the rule gives.")
        try:
            return Outcome(logic=Logic(logic))
        except Refused as refused:
            rule.wrong(f"/logic{refused.pointer}", refused.code, str(refused))
            return Outcome()

    def _otherwise(self, source: Part) -> Outcome:
        outcome = self._outcome(source)
        for number, variant in enumerate(outcome.buckets.variants if outcome.buckets else ()):
            if variant is None:
                detail = "Nothing comes after `otherwise`, so each part has a variant."
                source.wrong(f"/buckets/parts/{number}", "outcome_invalid", detail)
        return outcome

    def _outcome(self, source: Part) -> Outcome:
        place = source.pointer.removeprefix(self.source.pointer)
        serve, first, others = source.text_if_any("serve"), source.text_if_any("by"), source.texts("or_by")
        kinds = [name for name in _KINDS if source.fields.get(name) is not None]
        if kinds == ["serve"] and serve is not None and first is None and not others:
            return Outcome(serve=self._variant(serve, f"{place}/serve"))
        by = units_of(first or "", others, is_native=True)
        if kinds == ["split"] and first is not None:
            return Outcome(shares=self._shares(source.object("split"), f"{place}/split"), by=by)
        if kinds == ["rollout"] and first is not None:
            return Outcome(rollout=self._rollout(source.fields["rollout"], f"{place}/rollout"), by=by)
        if kinds == ["buckets"] and first is not None:
            return self._buckets(source.fields["buckets"], f"{place}/buckets", (first, others))
        detail = "It says either `serve`, or one of `split`, `rollout` and `buckets` with `by`."
        source.wrong("", "outcome_invalid", detail)
        return Outcome()

    def _buckets(self, said: Any, at: str, by: tuple[str, Sequence[str]]) -> Outcome:
        """Makes parts of all units, as another product hands them out."""
        source = self._part(said, at, ("dialect", "key", "parts"))
        dialect, key = dialect_of(source), source.text("key")
        weights: list[int] = []
        variants: list[int | None] = []
        for number, one in enumerate(source.list("parts")):
            part_of = self._part(one, f"{at}/parts/{number}", ("weight", "serve"))
            weights.append(_weight(part_of))
            serve = part_of.text_if_any("serve")
            variants.append(None if serve is None else self._variant(serve, f"{at}/parts/{number}/serve"))
        total, wanted = sum(weights), places_of(dialect)
        if not 1 <= total <= _WEIGHTS_MAX or (wanted is not None and wanted != total):
            detail = f"The weights do not make {wanted or f'a number from 1 to {_WEIGHTS_MAX}'} together."
            source.wrong("/parts", "weights_sum", detail)
            return Outcome()
        order = order_of_parts(dialect, key, total)
        # `place * total / places < reached`, solved for the place.
        ends = [-(-reached * order.places // total) for reached in accumulate(weights)]
        units = units_of(*by, is_native=order.is_native)
        return Outcome(buckets=Buckets(order, ends, variants), by=units)

    def _rollout(self, source: Any, at: str) -> Rollout:
        """Makes a share that grows."""
        rollout = self._part(source, at, _ROLLOUT)
        serve, others = rollout.text("serve"), rollout.text("others")
        places = self._variant(serve, f"{at}/serve"), self._variant(others, f"{at}/others")
        if serve == others:
            detail = "The share gets what all others get; nothing would ever change."
            rollout.wrong("/others", "outcome_invalid", detail)
        start = _percent(rollout, "start", 0)
        sources = rollout.list("steps")
        if not 1 <= len(sources) <= _STEPS_MAX:
            rollout.wrong("/steps", "steps_count", f"There are {len(sources)} steps; it has 1 to {_STEPS_MAX}.")
        moments: list[int] = []
        shares: list[int] = []
        for number, one in enumerate(sources):
            step = self._part(one, f"{at}/steps/{number}", ("at", "percent"))
            share, found = _percent(step, "percent"), moment_in(step, "at")
            if found is None:
                continue
            if moments and moments[-1] >= found:
                step.wrong("/at", "out_of_range", "It does not come after the step before it.")
            moments.append(found)
            shares.append(share)
        return Rollout(*places, start, moments, shares, rollout.boolean("smooth", otherwise=False))

    def _kept(self, rule: Part, gates: Sequence[Gate], outcome: Outcome) -> Outcome:
        """Adds what some keep of a rule's earlier splits."""
        sources = rule.list("kept")
        for name, is_said in (("sticky", rule.boolean("sticky", otherwise=False)), ("kept", bool(sources))):
            if is_said and (not gates or rule.fields.get("split") is None):
                detail = "It needs a `split`, and a gate that says who has been let pass: those keep what they have."
                rule.wrong(f"/{name}", "outcome_invalid", detail)
        if len(sources) > _KEPT_MAX:
            detail = f"There are {len(sources)} earlier splits; at most {_KEPT_MAX} are kept."
            rule.wrong("/kept", "kept_count", detail)
        if not gates or outcome.shares is None:
            return outcome
        at = rule.pointer.removeprefix(self.source.pointer)
        kept = []
        for number, source in enumerate(sources):
            one = self._part(source, f"{at}/kept/{number}", ("parts", "split"))
            parts, shares = parts_of(one, gates[0].order), self._shares(one.object("split"), f"{at}/kept/{number}/split")
            if shares is not None:
                kept.append(Kept(gates[0], parts, shares))
        return replace(outcome, kept=kept)

    def _shares(self, split: Mapping[str, Any], place: str) -> Shares | None:
        weights = [0] * len(self.names)
        for name in sorted(split):
            at = f"{place}/{part(name)}"
            variant = self._variant(name, at)
            weight = thousandths(split[name])
            if weight is None:
                self.wrong(at, "out_of_range", f"{split[name]} is not from 0 to 100 in steps of 0.001.")
                return None
            if weights:
                weights[variant] = weight
        if sum(weights) != WHOLE:
            self.wrong(place, "weights_sum", f"The shares add up to {sum(weights) / PARTS}, not to 100.")
            return None
        return Shares(weights)


def _numbered(parts: Sequence[Any]) -> tuple[Sequence[Any], range]:
    return parts, range(len(parts))


def _weight(source: Part) -> int:
    """Reads how large a part is, compared with others."""
    weight = source.fields.get("weight")
    if not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= _WEIGHTS_MAX:
        source.wrong("/weight", CODE, f"`weight` must be a whole number from 0 to {_WEIGHTS_MAX}.")
        return 0
    return weight


def _percent(source: Part, name: str, otherwise: int | None = None) -> int:
    """Reads a percentage in thousandths of a percent."""
    said = source.fields.get(name, otherwise)
    found = thousandths(said)
    if found is None:
        source.wrong(f"/{name}", "out_of_range", f"{said} is not from 0 to 100 in steps of 0.001.")
    return found or 0


__all__ = ["Problem", "compile_definitions"]
