"""Feature flags of Gateline.

```py
gateline = Gateline("https://gateline.example", key)
if gateline.check("new-checkout", {"user_id": "123"}): ...
```

Start with `Gateline` and `Options`; `AsyncGateline` is the same for programs with an event loop, and a provider of OpenFeature is in `gateline.openfeature`.
"""

from gateline.awaitable import AsyncGateline
from gateline.client import Gateline
from gateline.context import Context
from gateline.errors import ErrorCode, GatelineError
from gateline.evaluation import Problem
from gateline.options import Options
from gateline.types import Details, DetailsError, Flag

__all__ = [
    "AsyncGateline",
    "Context",
    "Details",
    "DetailsError",
    "ErrorCode",
    "Flag",
    "Gateline",
    "GatelineError",
    "Options",
    "Problem",
]
__version__ = "0.1.0"
