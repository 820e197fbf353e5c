"""Where units stand: as we put them in order, or as other products do, so that what was made there keeps its assignments."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from gateline.evaluation.bucketing import WHOLE, Bucketing, utf8

_WORD = 0xFFFF_FFFF
_FNV_BEGIN, _FNV_PRIME = 0x811C_9DC5, 0x0100_0193
#: What Unleash begins hashes for variants with; those of roll-outs begin with 0.
_UNLEASH_VARIANTS = 86_028_157
_UNLEASH_PLACES = 100
_NATIVE_PLACES = 1 << 32
#: The greatest number of fifteen hexadecimal digits.
_FIFTEEN_DIGITS = (1 << 60) - 1

_Of = Callable[[str], int]


class Order(NamedTuple):
    """Puts units in order."""

    #: Says where a unit stands, from 0.
    of: _Of
    #: In how many places it puts units.
    places: int
    #: Whether it is ours.
    is_native: bool
    #: Where those stand who are not known, if they stand anywhere.
    of_nobody: int | None
    #: Whether a rule is not for whom it does not know.
    leaves_nobody: bool

    @property
    def step(self) -> int:
        """How many thousandths of a percent its places have; a part of all ends where a place does."""
        return 1 if self.is_native else WHOLE // self.places

    def first_place(self, thousandths: int) -> int:
        """Says the first place that is not below a share of all."""
        return -(-thousandths * self.places // WHOLE)


class _Dialect(NamedTuple):
    """How units are put in order."""

    #: Makes an order of a key, a seed and a number of places.
    make: Callable[[str, int, int], _Of]
    #: In how many places it puts units, if that is always the same.
    places: int | None = None
    of_nobody: int | None = None
    leaves_nobody: bool = False


def is_dialect(name: str) -> bool:
    """Whether a dialect is known here."""
    return name in _DIALECTS


def places_of(dialect: str) -> int | None:
    """Says in how many places a dialect puts units, if that is always the same."""
    return _DIALECTS[dialect].places if is_dialect(dialect) else None


def order_of_gate(dialect: str, key: str) -> Order:
    """Makes the order of a gate."""
    return _order(dialect, key, 0, places_of(dialect) or _UNLEASH_PLACES)


def order_of_parts(dialect: str, key: str, weight: int) -> Order:
    """Makes the order of parts that have so much weight together."""
    return _order(dialect, key, _UNLEASH_VARIANTS, places_of(dialect) or weight)


def _order(name: str, key: str, seed: int, count: int) -> Order:
    dialect = _DIALECTS.get(name, _DIALECTS["native"])
    is_native = dialect.make is _native
    places = _NATIVE_PLACES if is_native else count
    return Order(dialect.make(key, seed, places), places, is_native, dialect.of_nobody, dialect.leaves_nobody)


def _native(key: str, _seed: int, _places: int) -> _Of:
    return Bucketing(key).of


def _unleash(key: str, seed: int, places: int) -> _Of:
    bucketing = Bucketing(f"{key}:", seed)
    return lambda unit: bucketing.of(unit) % places


def _growthbook_v1(key: str, _: int, places: int) -> _Of:
    return lambda unit: _fnv32(key, _fnv32(unit)) % places


def _growthbook_v2(key: str, _: int, places: int) -> _Of:
    begun = _fnv32(key)
    return lambda unit: _fnv32(str(_fnv32(unit, begun))) % places


def _launchdarkly(key: str, _: int, places: int) -> _Of:
    # The hash says where units stand, and protects nothing.
    begun = hashlib.sha1(utf8(f"{key}."), usedforsecurity=False)

    def of(unit: str) -> int:
        found = begun.copy()
        found.update(utf8(unit))
        digits = int.from_bytes(found.digest()[:8], "big") >> 4
        return min(digits * places // _FIFTEEN_DIGITS, places - 1)

    return of


def _fnv32(text: str, begun: int = _FNV_BEGIN) -> int:
    """Hashes UTF-16 units with FNV-1a, 32 bits (Fowler, Noll, Vo), as GrowthBook does; goes on from a hash."""
    state = begun
    data = text.encode("utf-16-le", "surrogatepass")
    for low, high in zip(data[::2], data[1::2], strict=True):
        state = (state ^ (low | high << 8)) * _FNV_PRIME & _WORD
    return state


_DIALECTS = {
    "native": _Dialect(_native),
    "unleash": _Dialect(_unleash),
    "growthbook_v1": _Dialect(_growthbook_v1, places=1000, leaves_nobody=True),
    "growthbook_v2": _Dialect(_growthbook_v2, places=10_000, leaves_nobody=True),
    "launchdarkly": _Dialect(_launchdarkly, places=100_000, of_nobody=0),
}
