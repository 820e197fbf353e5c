"""Does with the SDK what lines of JSON say, and answers each with a line.

The tests of the programs drive it against a real server. Its twin is `sdk/javascript/test/driven.ts`.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from openfeature import api
from openfeature.evaluation_context import EvaluationContext

from gateline import Details, Gateline, GatelineError, Options
from gateline.openfeature import GatelineProvider

Line = dict[str, Any]

#: Longer than a busy machine takes.
TIMEOUT = 30.0
BACKOFF = 0.05


class Driven:
    """A client, and what went wrong with it."""

    def __init__(self) -> None:
        self.client: Gateline
        self.errors: set[str] = set()

    def open(self, line: Line) -> bool:
        self.errors = set()
        options = Options(
            evaluation=line["evaluation"],
            poll=line["poll_seconds"],
            events_url=line.get("events_url"),
            bootstrap=line.get("bootstrap"),
            timeout=TIMEOUT,
            backoff=BACKOFF,
            on_error=self.told,
        )
        self.client = Gateline(line["url"], line["key"], options)
        return self.client.ready()

    def told(self, error: GatelineError) -> None:
        self.errors.add(f"{error.code}: {error}")

    def all(self, line: Line) -> Any:
        return [written(self.client.all(context)) for context in line["contexts"]]

    def string(self, line: Line) -> Any:
        return [self.client.string(line["flag"], line["otherwise"], context) for context in line["contexts"]]

    def flush(self, _: Line) -> None:
        self.client.flush()

    def openfeature(self, line: Line) -> Any:
        api.set_provider_and_wait(GatelineProvider(self.client))
        client = api.get_client()
        found = []
        for context in line["contexts"]:
            asked = EvaluationContext(context.pop("targetingKey", None), context)
            details = client.get_string_details(line["flag"], line["otherwise"], asked)
            found.append([details.value, details.variant, details.reason, details.flag_metadata])
        api.clear_providers()
        return found

    def close(self, _: Line) -> list[str]:
        """Says what went wrong meanwhile."""
        self.client.close()
        return sorted(self.errors)


def written(all_details: dict[str, Details[Any]]) -> list[dict[str, Any]]:
    """Writes details with the names that the server has for them."""
    names = ("key", "enabled", "variant", "value", "reason", "rule", "flag_version")
    return [{name: getattr(all_details[key], name) for name in names} for key in sorted(all_details)]


def main() -> None:
    driven = Driven()
    acts: dict[str, Callable[[Line], Any]] = {
        "open": driven.open,
        "all": driven.all,
        "string": driven.string,
        "flush": driven.flush,
        "openfeature": driven.openfeature,
        "close": driven.close,
    }
    for text in sys.stdin:
        line = json.loads(text)
        print(json.dumps(acts[line["do"]](line)), flush=True)


if __name__ == "__main__":
    main()
