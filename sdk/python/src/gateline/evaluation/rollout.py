"""Shares that grow by a schedule."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from gateline.evaluation.bucketing import WHOLE, first_hash


@dataclass(frozen=True)
class Rollout:
    """A share of all that is another one from some moments on."""

    #: The places of the variant that the share gets, and of the one that all others get.
    serve: int
    others: int
    #: The share before the first step, in thousandths of a percent.
    start: int
    #: The moments of the steps, in microseconds since 1970, one after the other.
    moments: Sequence[int]
    #: The share from each of them on.
    shares: Sequence[int]
    #: Whether it grows from each step to the next all the time.
    is_smooth: bool

    def share(self, now_micros: int) -> int:
        """Says the share at a moment; what is less than a thousandth is cut off from the way since the last step."""
        passed = bisect_right(self.moments, now_micros)
        if passed == 0:
            return self.start
        share = self.shares[passed - 1]
        if passed == len(self.moments) or not self.is_smooth:
            return share
        begun, ends, reached = self.moments[passed - 1], self.moments[passed], self.shares[passed]
        gone = abs(reached - share) * (now_micros - begun) // (ends - begun)
        return share + gone if reached >= share else share - gone

    def place(self, unit_hash: int, now_micros: int) -> int:
        """Says the variant that a hash falls on, as in a split of the share."""
        share = self.share(now_micros)
        is_first = self.serve < self.others
        is_below = unit_hash < first_hash(share if is_first else WHOLE - share)
        return self.serve if is_below == is_first else self.others
