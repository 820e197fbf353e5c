"""Asks with flagd's provider for Python; says as JSON what it says."""

import json
import sys
import threading

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import CacheType, ResolverType
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent

asked = json.loads(sys.stdin.read())
provider = FlagdProvider(
    host=asked["host"],
    port=asked["port"],
    resolver_type=ResolverType(asked["resolver"]),
    selector=asked["selector"],
    cache=CacheType.DISABLED,
    deadline_ms=2000,
)
ready = True
try:
    api.set_provider_and_wait(provider)
except Exception:
    ready = False
client = api.get_client()


def ask(kind, key, default, context, unit=None):
    about = EvaluationContext(targeting_key=unit, attributes=context)
    got = getattr(client, f"get_{kind}_details")(key, default, about)
    error = got.error_code and got.error_code.value
    return [got.value, got.variant, str(getattr(got.reason, "value", got.reason)), error]


if key := asked.get("wait_for"):
    heard = threading.Event()
    client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, lambda _: heard.set())
    print(json.dumps({"before": client.get_boolean_value(key, None)}), flush=True)
    heard.wait(20)
    print(json.dumps({"after": client.get_boolean_value(key, None)}), flush=True)
else:
    details = [ask(case["kind"], case["key"], case["default"], case["context"]) for case in asked["cases"]]
    half = [unit for unit in asked["units"] if ready and ask("boolean", "half", False, {}, unit)[0]]
    print(json.dumps({"ready": ready, "details": details, "half": half}), flush=True)
api.shutdown()
