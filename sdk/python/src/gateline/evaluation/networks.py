"""Networks of IP addresses, and whether an address is in one."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

_BITS = re.compile(r"\+?[0-9]+", re.ASCII)
_MAPPED_BITS = 96
#: The same addresses are asked about again and again.
_KNOWN_MAX = 256


@lru_cache(_KNOWN_MAX)
def address(text: str) -> IPv4Address | IPv6Address | None:
    """Reads an address; an IPv4 address written as IPv6 (``::ffff:10.0.0.1``) is the IPv4 address."""
    found = _plain(text)
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _plain(text: str) -> IPv4Address | IPv6Address | None:
    # Zones, as in `fe80::1%eth0`, are no part of an address elsewhere.
    if "%" in text or "/" in text:
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


class Network:
    """Addresses that begin with the same bits."""

    __slots__ = ("_first", "_shift", "_version")

    def __init__(self, start: IPv4Address | IPv6Address, bits: int) -> None:
        self._version = start.version
        self._shift = start.max_prefixlen - bits
        self._first = int(start) >> self._shift

    @classmethod
    def read(cls, text: str) -> Network | None:
        """Reads ``10.0.0.0/8``, or one address."""
        written, slash, length = text.partition("/")
        start = _plain(written)
        if start is None:
            return None
        bits: int = start.max_prefixlen
        if slash:
            if not _BITS.fullmatch(length) or int(length) > bits:
                return None
            bits = int(length)
        mapped = start.ipv4_mapped if isinstance(start, IPv6Address) else None
        # `::ffff:10.0.0.0/104` is 10.0.0.0/8, written as IPv6.
        if mapped is not None and bits >= _MAPPED_BITS:
            return cls(mapped, bits - _MAPPED_BITS)
        return cls(start, bits)

    def has(self, one: IPv4Address | IPv6Address) -> bool:
        """Whether an address is in it."""
        return one.version == self._version and int(one) >> self._shift == self._first
