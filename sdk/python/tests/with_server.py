"""What tests of the client have in common: a server, and clients that end with the test."""

import unittest
from typing import Any

from fake_server import KEY, FakeServer, half, on

from gateline import Gateline, GatelineError, Options

DEFINITIONS = "feature-flags/definitions"
EVALUATE = "feature-flags/evaluate"
CHANGES = "feature-flags/changes"
PATHS = {"local": DEFINITIONS, "remote": EVALUATE}
NOWHERE = "http://127.0.0.1:1"


class WithServer(unittest.TestCase):
    def setUp(self) -> None:
        self.server = FakeServer(
            {
                "on": on(),
                "half": half(version=7),
                "colour": {
                    "type": "string",
                    "version": 4,
                    "variants": {"blue": "#00f", "red": "#f00"},
                    "off": "blue",
                    "otherwise": {"serve": "red"},
                },
                "limit": {
                    "type": "number",
                    "variants": {"small": 10, "exact": 2.5},
                    "off": "small",
                    "rules": [{"when": {"attribute": "company.plan", "op": "in", "values": ["gold"]}, "serve": "exact"}],
                    "otherwise": {"serve": "small"},
                },
                "layout": {
                    "type": "json",
                    "variants": {"wide": {"columns": 3}, "none": None},
                    "off": "none",
                    "otherwise": {"serve": "wide"},
                },
            }
        )
        self.addCleanup(self.server.stop)
        self.errors: list[GatelineError] = []
        self.clients: list[Gateline] = []
        self.addCleanup(self.close_clients)

    def client(self, url: str | None = None, **options: Any) -> Gateline:
        said = {"backoff": 0.001, "on_error": self.told, **options}
        client = Gateline(url or self.server.url, KEY, Options(**said))
        self.clients.append(client)
        return client

    def close_clients(self) -> None:
        while self.clients:
            self.clients.pop().close()

    def told(self, error: GatelineError) -> None:
        self.errors.append(error)
        self.server.tell()

    def codes(self) -> set[str]:
        return {error.code for error in self.errors}
