"""Sets of characters, as regular expressions name them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from gateline.evaluation.texts import BLANKS

_KNOWN_MAX = 1024
_WORD_CATEGORIES = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "Pc"})
#: Letters in circles and squares are alphabetic symbols; the two joiners belong to words as well.
_WORD_RANGES = ((0x200C, 0x200D), (0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))

Test = Callable[[str], bool]


def is_word(letter: str) -> bool:
    """Whether a character belongs to words: letters, marks, digits, connectors (UTS 18, Annex C)."""
    if letter.isascii():
        return letter.isalnum() or letter == "_"
    if unicodedata.category(letter) in _WORD_CATEGORIES:
        return True
    return any(first <= ord(letter) <= last for first, last in _WORD_RANGES)


def is_digit(letter: str) -> bool:
    """Whether a character is a decimal digit, of any script."""
    return letter.isdecimal()


def is_blank(letter: str) -> bool:
    """Whether a character is white space."""
    return letter in BLANKS


def category(name: str) -> Test | None:
    """Makes the test for one of Unicode's general categories, as ``L`` or ``Lu``."""
    if name in _GROUPS:
        return lambda letter: unicodedata.category(letter)[0] == name
    if name in _CATEGORIES:
        return lambda letter: unicodedata.category(letter) == name
    return None


_GROUPS = frozenset("LMNPSZC")
_CATEGORIES = frozenset(
    "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split()
)


#: Forms to which neither `lower` nor `upper` of one character leads (CaseFolding.txt, status C and S).
_MORE_FORMS = {"k": "\u212a", "s": "ſ", "ß": "ẞ", "å": "\u212b", "μ": "µ", "σ": "ς", "ω": "\u2126", "θ": "ϑϴ"}


def variants(letter: str) -> set[str]:
    """Says all forms of a letter whose capitals make no difference."""
    found = {letter}
    waiting = [letter]
    while waiting:
        one = waiting.pop()
        for other in (one.lower(), one.upper(), *_MORE_FORMS.get(one, "")):
            if len(other) == 1 and other not in found:
                found.add(other)
                waiting.append(other)
    return found


class Letters:
    """A set of characters: ranges and tests, or all others."""

    __slots__ = ("_ignore_case", "_known", "_ranges", "_tests", "negated")

    def __init__(self, *, ignore_case: bool = False, negated: bool = False) -> None:
        self._ranges: list[tuple[str, str]] = []
        self._tests: list[Test] = []
        self._ignore_case = ignore_case
        self.negated = negated
        self._known: dict[str, bool] = {}

    def add(self, first: str, last: str) -> None:
        """Takes a range in, the last one included."""
        forms = variants(first) if self._ignore_case and first == last else ()
        self._ranges.append((first, last))
        self._ranges.extend((form, form) for form in forms if form != first)

    def add_test(self, test: Test) -> None:
        """Takes all in for which a test holds."""
        self._tests.append(test)

    def has(self, letter: str) -> bool:
        """Whether a character is in it."""
        found = self._known.get(letter)
        if found is None:
            found = self._find(letter)
            if len(self._known) < _KNOWN_MAX:
                self._known[letter] = found
        return found

    def _find(self, letter: str) -> bool:
        forms = variants(letter) if self._ignore_case else {letter}
        return any(map(self._names, forms)) != self.negated

    def _names(self, letter: str) -> bool:
        in_range = any(first <= letter <= last for first, last in self._ranges)
        return in_range or any(test(letter) for test in self._tests)
