"""The SDK for Python: evaluates by itself with a key of a server, or is told values with one of a page."""

import json
import logging
import sys
import time
from collections.abc import Callable

from growthbook import GrowthBook
from growthbook.growthbook import feature_repo


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
    site, people, is_page = asked["site"], asked["people"], asked["page"]
    log = Lines()
    for name in ("urllib3.connectionpool", "growthbook"):
        logging.getLogger(name).addHandler(log)
        logging.getLogger(name).setLevel(logging.DEBUG)

    def started(key: str, attributes: dict, **words: object) -> GrowthBook:
        secret = {"decryption_key": site["payload_key"]} if site["mode"] == "encrypted" else {}
        return GrowthBook(
            api_host=site["url"], client_key=key, attributes=attributes, remote_eval=is_page, **secret, **words
        )

    wrong = started(site["key"][:-3] + "abc", {})
    wrong.load_features()
    say(wrong_key=log.has("received status code 401") and not wrong.is_on("native-static"), errors=log.lines[-3:])
    wrong.destroy()

    client = started(site["key"], people[1], streaming=True)
    flags = list(client.get_features())
    answers = []
    for person in people:
        if is_page:
            one = started(site["key"], person)
            # Destroying it would end the stream, which all have in common.
            answers.append({flag: one.eval_feature(flag).value for flag in flags})
        else:
            client.set_attributes(person)
            answers.append({flag: client.eval_feature(flag).value for flag in flags})
    say(flags=flags, answers=answers)
    say(heard=until(lambda: client.is_on("changed"), 15))
    checks = {}
    if not is_page:
        client.load_features(force_refresh=True)
        checks["what is there already is not sent again"] = log.has(' HTTP/1.1" 304')
    feature_repo.clear_cache()
    say(checks=checks)


def until(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


main()
