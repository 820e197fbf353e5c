"""Regular expressions that are found in linear time, as the server finds them.

Python's own `re` goes back and tries again, so that some patterns take years with some texts; definitions come from outside,
and an evaluation must end. So patterns become an automaton, and a text is gone through once with all of its states at a
time (Ken Thompson, 1968).
"""

from __future__ import annotations

from gateline.evaluation.patterns.letters import Letters, is_word
from gateline.evaluation.patterns.syntax import Letter, Look, Node, PatternError, Repeat, Several, parse

__all__ = ["Pattern", "PatternError"]

#: States of an automaton; those of people's patterns have a hundredth.
STATES_MAX = 20_000


class Pattern:
    """A compiled regular expression."""

    __slots__ = ("_begin", "_states")

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        """Compiles a pattern; raises `PatternError` if it is none or too large."""
        automaton = _Automaton()
        self._begin = automaton.add(parse(pattern, ignore_case=ignore_case), automaton.end)
        self._states = automaton.states

    def is_in(self, text: str) -> bool:
        """Whether it matches a part of a text."""
        before = ""
        seeds: list[int] = []
        for letter in text:
            # It may begin at every place.
            seeds.append(self._begin)
            reached = self._reach(seeds, before, letter)
            if reached is None:
                return True
            seeds = [goes_to for letters, goes_to in reached if letters.has(letter)]
            before = letter
        seeds.append(self._begin)
        return self._reach(seeds, before, "") is None

    def _reach(self, seeds: list[int], before: str, after: str) -> list[tuple[Letters, int]] | None:
        """Follows all that takes no character: what comes next, or nothing if the end is reached."""
        seen = set(seeds)
        waiting = list(seen)
        reached = []
        while waiting:
            what, ways = self._states[waiting.pop()]
            if what is None and not ways:
                return None
            if isinstance(what, Letters):
                reached.append((what, ways[0]))
                continue
            if isinstance(what, str) and not _holds(what, before, after):
                continue
            for way in ways:
                if way not in seen:
                    seen.add(way)
                    waiting.append(way)
        return reached


_State = tuple[Letters | str | None, tuple[int, ...]]


class _Automaton:
    """States with what leads on from them: a character of a set, a place that fits, or nothing."""

    def __init__(self) -> None:
        self.states: list[_State] = []
        self.end = self._state(None, ())

    def _state(self, what: Letters | str | None, ways: tuple[int, ...]) -> int:
        if len(self.states) >= STATES_MAX:
            raise PatternError("it is too large")
        self.states.append((what, ways))
        return len(self.states) - 1

    def add(self, node: Node, then: int) -> int:
        """Adds what matches a node and goes on; says where it begins."""
        if isinstance(node, Letter):
            return self._state(node.letters, (then,))
        if isinstance(node, Look):
            return self._state(node.kind, (then,))
        if isinstance(node, Repeat):
            return self._repeat(node, then)
        return self._several(node, then)

    def _several(self, node: Several, then: int) -> int:
        if node.is_choice:
            return self._state(None, tuple(self.add(part, then) for part in node.parts))
        for part in reversed(node.parts):
            then = self.add(part, then)
        # Nothing counts as well, or nothing could be repeated for ever.
        return then if node.parts else self._state(None, (then,))

    def _repeat(self, node: Repeat, then: int) -> int:
        if node.most is None:
            loop = self._state(None, ())
            self.states[loop] = (None, (self.add(node.part, loop), then))
            then = loop
        else:
            after = then
            for _ in range(node.most - node.least):
                then = self._state(None, (self.add(node.part, then), after))
        for _ in range(node.least):
            then = self.add(node.part, then)
        return then


def _holds(kind: str, before: str, after: str) -> bool:
    if kind == "start":
        return not before
    if kind == "end":
        return not after
    if kind == "line_start":
        return before in ("", "\n")
    if kind == "line_end":
        return after in ("", "\n")
    was, will = (bool(letter) and is_word(letter) for letter in (before, after))
    return {
        "word": was != will,
        "no_word": was == will,
        "word_start": not was and will,
        "word_end": was and not will,
        "word_start_half": not was,
        "word_end_half": not will,
    }[kind]
