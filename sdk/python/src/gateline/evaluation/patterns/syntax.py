"""Reads regular expressions: the part of the syntax of Rust's crate `regex` that every SDK understands."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gateline.evaluation.patterns.letters import Letters, category, is_blank, is_digit, is_word

#: Groups within groups.
DEPTH_MAX = 50
#: Letters of a pattern.
LETTERS_MAX = 10_000
_TIMES_MAX = 100_000


class PatternError(ValueError):
    """A text is no regular expression, or one that cannot be matched here; says why."""


@dataclass(frozen=True)
class Flags:
    """What ``(?ims)`` switches on."""

    ignore_case: bool = False
    many_lines: bool = False
    dot_all: bool = False


@dataclass(frozen=True)
class Letter:
    """One character of a set."""

    letters: Letters


@dataclass(frozen=True)
class Look:
    """A place between two characters."""

    kind: str


@dataclass(frozen=True)
class Several:
    """One after the other, or one of them."""

    parts: tuple[Node, ...]
    is_choice: bool = False


@dataclass(frozen=True)
class Repeat:
    """The same several times; without ``most`` as often as it comes."""

    part: Node
    least: int
    most: int | None


Node = Letter | Look | Several | Repeat

_COUNT = re.compile(r"\{ *([0-9]+) *(?:(,)(?: *([0-9]+) *)?)?\}", re.ASCII)
_NAME = re.compile(r"\?P?<([A-Za-z_][A-Za-z0-9_]*)>", re.ASCII)
_BOUNDARY = re.compile(r"b\{(start|end|start-half|end-half)\}", re.ASCII)
_HEX = re.compile(r"(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[xuU]\{([0-9A-Fa-f]{1,8})\})", re.ASCII)
_CATEGORY = re.compile(r"[pP](?:([A-Z])|\{([A-Za-z]+)\})", re.ASCII)
_SPECIAL = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_LOOKS = {"A": "start", "z": "end", "b": "word", "B": "no_word", "<": "word_start", ">": "word_end"}
_PERL = {"d": is_digit, "s": is_blank, "w": is_word}
_POSIX_RANGES = {
    "alnum": "09AZaz",
    "alpha": "AZaz",
    "ascii": "\x00\x7f",
    "blank": "\t\t  ",
    "cntrl": "\x00\x1f\x7f\x7f",
    "digit": "09",
    "graph": "!~",
    "lower": "az",
    "print": " ~",
    "punct": "!/:@[`{~",
    "space": "\t\r  ",
    "upper": "AZ",
    "word": "09AZaz__",
    "xdigit": "09AFaf",
}
# What is between colons and no name of a class is a class of these letters.
_POSIX = re.compile(rf"\[:(\^?)({'|'.join(_POSIX_RANGES)}):\]", re.ASCII)


def parse(pattern: str, *, ignore_case: bool = False) -> Node:
    """Reads a pattern; raises `PatternError` if it is none, or says what is not understood here."""
    if len(pattern) > LETTERS_MAX:
        raise PatternError(f"it has more than {LETTERS_MAX} letters")
    reader = _Reader(pattern, Flags(ignore_case=ignore_case))
    node = reader.choice(0)
    if reader.here():
        raise PatternError("a `)` closes nothing")
    return node


class _Reader:
    def __init__(self, pattern: str, flags: Flags) -> None:
        self.pattern = pattern
        self.at = 0
        self.flags = flags
        self.names: set[str] = set()

    def here(self, more: int = 0) -> str:
        """Says the character here, or none at the end."""
        place = self.at + more
        return self.pattern[place] if place < len(self.pattern) else ""

    def skip(self, text: str) -> bool:
        """Goes on if this text is here."""
        if not self.pattern.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def take(self, shape: re.Pattern[str]) -> re.Match[str] | None:
        """Goes on if something of this shape is here."""
        found = shape.match(self.pattern, self.at)
        if found:
            self.at = found.end()
        return found

    def choice(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise PatternError(f"groups are nested more than {DEPTH_MAX} deep")
        parts = [self.sequence(depth)]
        while self.skip("|"):
            parts.append(self.sequence(depth))
        return parts[0] if len(parts) == 1 else Several(tuple(parts), is_choice=True)

    def sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while self.here() and self.here() not in "|)":
            part = self.one(depth)
            # What only switches flags is nothing that could be repeated.
            if part is not None:
                parts.append(self.repeated(part))
        return Several(tuple(parts))

    def repeated(self, part: Node) -> Node:
        while (sign := self.here()) and sign in "*+?{":
            if sign == "{":
                part = self.counted(part)
            else:
                self.at += 1
                least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
                part = Repeat(part, least, most)
            # Whether as much or as little as possible is taken does not change whether there is a match.
            self.skip("?")
        return part

    def counted(self, part: Node) -> Node:
        found = self.take(_COUNT)
        if not found:
            raise PatternError("a `{` is followed by no count")
        least = int(found[1])
        most = least if not found[2] else int(found[3]) if found[3] else None
        if least > _TIMES_MAX or (most or 0) > _TIMES_MAX or (most is not None and most < least):
            raise PatternError(f"`{found[0]}` is no count of repetitions")
        return Repeat(part, least, most)

    def one(self, depth: int) -> Node | None:
        sign = self.here()
        if sign == "(":
            self.at += 1
            return self.group(depth)
        if sign == "[":
            return Letter(self.bracket(0))
        if sign == "\\":
            return self.escaped()
        if sign in "*+?{":
            raise PatternError(f"`{sign}` repeats nothing")
        self.at += 1
        if sign == ".":
            return Letter(self.dot())
        if sign == "^":
            return Look("line_start" if self.flags.many_lines else "start")
        if sign == "$":
            return Look("line_end" if self.flags.many_lines else "end")
        return self.literal(sign)

    def letters(self, *, negated: bool = False) -> Letters:
        return Letters(ignore_case=self.flags.ignore_case, negated=negated)

    def literal(self, sign: str) -> Letter:
        letters = self.letters()
        letters.add(sign, sign)
        return Letter(letters)

    def dot(self) -> Letters:
        letters = Letters(negated=True)
        if not self.flags.dot_all:
            letters.add("\n", "\n")
        return letters

    def group(self, depth: int) -> Node | None:
        for look in ("?=", "?!", "?<=", "?<!"):
            if self.skip(look):
                raise PatternError("look-around cannot be matched in linear time")
        outer = self.flags
        if self.here() == "?":
            name = self.take(_NAME)
            if name and name[1] in self.names:
                raise PatternError(f"two groups are called `{name[1]}`")
            if name:
                self.names.add(name[1])
            elif not self.switches():
                return None
        inside = self.choice(depth + 1)
        if not self.skip(")"):
            raise PatternError("a `(` is not closed")
        self.flags = outer
        return inside

    def switches(self) -> bool:
        """Reads ``?ims-ims`` and says whether a group follows; without one they hold until the end of this one."""
        self.at += 1
        names = {"i": "ignore_case", "m": "many_lines", "s": "dot_all"}
        value, seen = True, ""
        while (sign := self.here()) and sign not in ":)":
            if sign in seen or sign not in "imsUu-" or (sign == "u" and not value):
                raise PatternError(f"`{sign}` is no flag that is known here")
            if sign in names:
                self.flags = replace(self.flags, **{names[sign]: value})
            value = value and sign != "-"
            seen += sign
            self.at += 1
        if not sign or seen.endswith("-") or (sign == ")" and not seen):
            raise PatternError("flags are not complete")
        self.at += 1
        return sign == ":"

    def escaped(self) -> Node:
        self.at += 1
        sign = self.here()
        if boundary := self.take(_BOUNDARY):
            return Look("word_" + boundary[1].replace("-", "_"))
        if sign and sign in _LOOKS:
            self.at += 1
            return Look(_LOOKS[sign])
        found = self.escape()
        return self.literal(found) if isinstance(found, str) else Letter(found)

    def escape(self) -> str | Letters:
        """Reads what stands behind a backslash: one character, or a set."""
        sign = self.here()
        if not sign:
            raise PatternError("nothing follows the last backslash")
        if code := self.take(_HEX):
            return _character(next(filter(None, code.groups())))
        if named := self.take(_CATEGORY):
            return self.category(named)
        self.at += 1
        if sign.lower() in _PERL:
            letters = self.letters(negated=sign.isupper())
            letters.add_test(_PERL[sign.lower()])
            return letters
        if sign in _SPECIAL:
            return _SPECIAL[sign]
        if sign.isdigit():
            raise PatternError("references cannot be matched in linear time")
        if not sign.isascii() or sign.isalnum() or sign in "<>":
            raise PatternError(f"`\\{sign}` is not known here")
        return sign

    def category(self, named: re.Match[str]) -> Letters:
        name = named[1] or named[2]
        test = category(name)
        if not test:
            raise PatternError(f"the class `{name}` is not known here; general categories are, as `L` and `Lu`")
        letters = self.letters(negated=named[0][0] == "P")
        letters.add_test(test)
        return letters

    def bracket(self, depth: int) -> Letters:
        """Reads ``[a-z]``."""
        if depth > DEPTH_MAX:
            raise PatternError(f"classes are nested more than {DEPTH_MAX} deep")
        self.at += 1
        letters = self.letters(negated=self.skip("^"))
        is_first = True
        while self.skip("-"):
            letters.add("-", "-")
            is_first = False
        if is_first and self.skip("]"):
            letters.add("]", "]")
        while not self.skip("]"):
            self.bracket_part(letters, depth)
        return letters

    def bracket_part(self, letters: Letters, depth: int) -> None:
        if not self.here():
            raise PatternError("a `[` is not closed")
        if self.here() + self.here(1) in ("&&", "--", "~~"):
            raise PatternError(f"`{self.here() * 2}` between classes is not known here")
        if posix := self.take(_POSIX):
            letters.add_test(_posix(posix, self.letters(negated=bool(posix[1]))).has)
            return
        if self.here() == "[":
            letters.add_test(self.bracket(depth + 1).has)
            return
        first = self.bracket_item()
        if self.here() != "-" or self.here(1) in ("]", "-"):
            if isinstance(first, str):
                letters.add(first, first)
            else:
                letters.add_test(first.has)
            return
        self.at += 1
        last = self.bracket_item() if self.here() else ""
        if not isinstance(first, str) or not isinstance(last, str) or not last or first > last:
            raise PatternError("a range in a class ends before it begins")
        letters.add(first, last)

    def bracket_item(self) -> str | Letters:
        sign = self.here()
        self.at += 1
        return self.escape() if sign == "\\" else sign


def _posix(named: re.Match[str], letters: Letters) -> Letters:
    ends = _POSIX_RANGES[named[2]]
    for place in range(0, len(ends), 2):
        letters.add(ends[place], ends[place + 1])
    return letters


def _character(digits: str) -> str:
    code = int(digits, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise PatternError(f"U+{digits} is no character")
    return chr(code)
