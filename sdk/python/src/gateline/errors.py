"""What went wrong; never raised into the caller's code, but told to `on_error`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gateline.evaluation import Problem

#: ``options_invalid``: there is no key, or the address is none. ``unreachable``: the server was not reached, or not in time.
#: ``refused``: it refuses the key, or what is asked. ``answer_invalid``: it answers what is not understood.
#: ``definitions_invalid``: some flags cannot be evaluated here. ``copy_unusable``: what was kept, or given as bootstrap,
#: cannot be read or written. ``exposures_dropped``: some were given up. ``internal``: something of this SDK failed.
ErrorCode = Literal[
    "options_invalid",
    "unreachable",
    "refused",
    "answer_invalid",
    "definitions_invalid",
    "copy_unusable",
    "exposures_dropped",
    "internal",
]


class GatelineError(Exception):
    """Something that went wrong, and is told once it did."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        status: int = 0,
        retry_after: float = 0.0,
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        #: The status of the server's answer; 0 if there was none.
        self.status = status
        #: When the server wants to be asked again, in seconds from then on.
        self.retry_after = retry_after
        #: What is wrong with definitions.
        self.problems = problems


def as_gateline_error(error: BaseException) -> GatelineError:
    """Takes whatever was raised as an error of ours."""
    if isinstance(error, GatelineError):
        return error
    found = GatelineError("internal", f"{type(error).__name__}: {error}")
    found.__cause__ = error
    return found
