"""The client for servers: evaluates by itself, hears of changes by polling or by a stream."""

import json
import logging
import sys
import time
from collections.abc import Callable

from UnleashClient import UnleashClient
from UnleashClient.cache import BaseCache


class Memory(BaseCache):
    """Keeps nothing on the disk."""

    def __init__(self) -> None:
        self.kept: dict = {}
        self.bootstrapped = False

    def set(self, key: str, value: object) -> None:
        self.kept[key] = value

    def mset(self, data: dict) -> None:
        self.kept.update(data)

    def get(self, key: str, default: object = None) -> object:
        return self.kept.get(key, default)

    def exists(self, key: str) -> bool:
        return key in self.kept

    def destroy(self) -> None:
        self.kept.clear()


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def has(self, text: str) -> bool:
        return any(text in line for line in self.lines)


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    site, people = asked["site"], asked["people"]
    log = Lines()
    for name in ("urllib3.connectionpool", "UnleashClient"):
        logging.getLogger(name).addHandler(log)
        logging.getLogger(name).setLevel(logging.DEBUG)

    wrong = started(site, site["key"][:-3] + "abc")
    refused = {"polling": "unexpected HTTP status code: 401", "streaming": '/client/streaming HTTP/1.1" 401'}[site["mode"]]
    say(wrong_key=until(lambda: log.has(refused) and not wrong.is_enabled("native-static"), 10), errors=log.lines[-3:])
    wrong.destroy()

    log.lines.clear()
    client = started(site, site["key"])
    until(lambda: client.is_enabled("native-static"), 10)
    flags = list(client.feature_definitions())
    client._engine.get_metrics()  # noqa: SLF001  what was asked for while it started is not counted
    answers = [{flag: answer(client, flag, person) for flag in flags} for person in people]
    say(flags=flags, answers=answers)
    say(heard=until(lambda: client.is_enabled("changed"), 15))
    checks = {"it is registered": log.has("successfully registered")}
    if site["mode"] == "polling":
        checks["what is there already is not sent again"] = until(lambda: log.has('/client/features HTTP/1.1" 304'), 5)
    client.destroy()
    checks["its report is taken"] = log.has("metrics successfully sent")
    say(checks=checks, counted=len(people) * 2)


def started(site: dict, key: str) -> UnleashClient:
    client = UnleashClient(
        url=f"{site['url']}/api",
        app_name="vendors",
        refresh_interval=1,
        metrics_interval=3600,
        custom_headers={"Authorization": key},
        cache=Memory(),
        experimental_mode={"type": site["mode"]},
    )
    client.initialize_client()
    return client


def answer(client: UnleashClient, flag: str, person: dict) -> list:
    """Whether a feature is on, its variant and payload."""
    variant = client.get_variant(flag, person)
    payload = variant.get("payload")
    if payload:
        payload = [payload["type"], json.loads(payload["value"]) if payload["type"] == "json" else payload["value"]]
    return [client.is_enabled(flag, person), variant["name"] if variant["enabled"] else "disabled", payload]


def until(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


main()
