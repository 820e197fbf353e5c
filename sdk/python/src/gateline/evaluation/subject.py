"""Whom or what an evaluation is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateline.evaluation.texts import Value


class Subject(NamedTuple):
    """What is known of a subject, and when it is asked."""

    attributes: Mapping[str, Value]
    #: The moment of the evaluation, in microseconds since 1970.
    now_micros: int
