"""Puts units into buckets, and buckets into shares, exactly as the server does.

A unit's hash is MurmurHash3 (x86, 32 bits, seed 0) of a key followed by the unit; of ``total`` weights it falls on number
``(hash * total) >> 32``, and the variant is the one whose weights, added up in their order, reach beyond that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

_WORD = 0xFFFF_FFFF
#: How many thousandths of a percent are the whole.
WHOLE = 100_000


def murmur32(data: bytes, seed: int = 0) -> int:
    """Hashes bytes with MurmurHash3, x86, 32 bits (Austin Appleby, in the public domain)."""
    words = len(data) // 4 * 4
    return _finish(_mix(seed, data, words), data[words:], len(data))


def _mix(state: int, data: bytes, end: int) -> int:
    for at in range(0, end, 4):
        word = int.from_bytes(data[at : at + 4], "little") * 0xCC9E_2D51 & _WORD
        word = (word << 15 | word >> 17) * 0x1B87_3593 & _WORD
        state ^= word
        state = ((state << 13 | state >> 19) & _WORD) * 5 + 0xE654_6B64 & _WORD
    return state


def _finish(state: int, rest: bytes, length: int) -> int:
    word = int.from_bytes(rest, "little") * 0xCC9E_2D51 & _WORD
    state ^= (word << 15 | word >> 17) * 0x1B87_3593 & _WORD
    state ^= length
    state = (state ^ state >> 16) * 0x85EB_CA6B & _WORD
    state = (state ^ state >> 13) * 0xC2B2_AE35 & _WORD
    return state ^ state >> 16


def utf8(text: str) -> bytes:
    """Writes a text as UTF-8; half of a surrogate pair, which is no character, becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


class Bucketing:
    """Hashes units under a key: of a flag, of a layer."""

    __slots__ = ("_length", "_rest", "_state")

    def __init__(self, key: str, seed: int = 0) -> None:
        data = utf8(key)
        words = len(data) // 4 * 4
        # What the key alone decides is computed once.
        self._state = _mix(seed, data, words)
        self._rest = data[words:]
        self._length = len(data)

    def of(self, unit: str) -> int:
        """Says where a unit is among all of them, from 0 to 2^32 - 1."""
        added = utf8(unit)
        data = self._rest + added
        words = len(data) // 4 * 4
        return _finish(_mix(self._state, data, words), data[words:], self._length + len(added))


class Shares:
    """What part of all units each variant gets, by weights in the order of the variants."""

    __slots__ = ("_ends",)

    def __init__(self, weights: Sequence[int]) -> None:
        total = sum(weights)
        if total <= 0:
            raise ValueError("nothing is shared out without weights")
        ends = []
        reached = 0
        for weight in weights:
            reached += weight
            # `(hash * total) >> 32 < reached`, solved for the hash.
            ends.append(-(-(reached << 32) // total))
        self._ends = ends

    def place(self, unit_hash: int) -> int:
        """Says the place of the variant that a hash falls on."""
        return bisect_right(self._ends, unit_hash)


def first_hash(thousandths: int) -> int:
    """Says the first hash that is not below a share of all."""
    return -(-(thousandths << 32) // WHOLE)
