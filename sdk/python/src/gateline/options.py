"""How a client is set up."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateline.context import Context
from gateline.errors import GatelineError


@dataclass(frozen=True)
class Options:
    """What can be said beside the address and the key. Times are in seconds."""

    #: Where exposures are sent, if not to the client's address.
    events_url: str | None = None
    #: Where flags are evaluated: here, by definitions, which only server keys may read, or by the server.
    evaluation: Literal["local", "remote"] = "local"
    #: What is known of everybody who is asked about; what is said with a question comes before it.
    context: Context = field(default_factory=dict)
    #: What is answered by until the server has, as an object or a file of JSON: definitions for `local`, an answer of
    #: `evaluate` for `remote`.
    bootstrap: Any = None
    #: The file where what the server said last is kept for a start without it.
    cache_path: str | os.PathLike[str] | None = None
    #: Whether changes are heard of at once; otherwise by asking every `poll` seconds.
    streaming: bool = True
    #: How often is asked while changes are not heard of; at least every second.
    poll: float = 30.0
    #: How long a question waits for the server at most, until it is answered by what is there.
    timeout: float = 3.0
    #: Who was given which variant is told: of splits, of all flags, or of none.
    exposures: Literal["split", "all", "none"] = "split"
    #: Attributes that are told with an exposure.
    exposure_attributes: Sequence[str] = ()
    #: The attribute that says who it is where no split decided.
    unit: str = "user_id"
    #: How long exposures wait at most.
    flush: float = 10.0
    #: How many exposures are sent at once without waiting.
    flush_at: int = 100
    #: The same unit, flag and variant are told once in this time.
    exposure_window: float = 3600.0
    #: The first wait after a failure; it doubles up to a minute.
    backoff: float = 1.0
    #: Is told what goes wrong; the log `gateline` otherwise.
    on_error: Callable[[GatelineError], None] | None = None
