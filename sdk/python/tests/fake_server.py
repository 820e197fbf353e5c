"""A little server that speaks Gateline's wire: what it answers is said by the test."""

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from gateline.evaluation import Subject, compile_definitions

KEY = "gl_production_1_secret"
WAIT_SECONDS = 20


@dataclass
class Asked:
    """What was asked."""

    path: str
    key: str | None
    etag: str | None
    body: Any


@dataclass
class Refusal:
    """What is answered in place of the usual."""

    path: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def tag(body: Any) -> str:
    return '"' + hashlib.sha256(json.dumps(body).encode()).hexdigest()[:32] + '"'


class FakeServer:
    def __init__(self, flags: dict[str, Any] | None = None) -> None:
        self.asked: list[Asked] = []
        self.exposures: list[dict[str, Any]] = []
        self.definitions: dict[str, Any] = {"environment": "production", "flags": flags or {}, "segments": {}}
        self.refusals: list[Refusal] = []
        self.has_stream = True
        #: How often streams were told to say something, and to break off.
        self.changes = 0
        self.breaks = 0
        self.news = threading.Condition()
        fake = self

        class Handler(_Handler):
            server_of_test = fake

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # Asks whether to end every so often; the default of half a second would be waited for in every test.
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self.break_streams()
        self._server.shutdown()
        self._server.server_close()

    def change(self, key: str, flag: Any) -> None:
        """Changes a flag and tells everybody who listens."""
        with self.news:
            self.definitions = {**self.definitions, "flags": {**self.definitions["flags"], key: flag}}
            self.changes += 1
            self.news.notify_all()

    def break_streams(self) -> None:
        with self.news:
            self.breaks += 1
            self.news.notify_all()

    def tell(self) -> None:
        """Wakes whoever waits for something to hold."""
        with self.news:
            self.news.notify_all()

    def until(self, holds: Callable[[], bool]) -> None:
        """Waits until something holds; it is looked at after every call, and every so often."""
        deadline = time.monotonic() + WAIT_SECONDS
        with self.news:
            while not holds():
                if time.monotonic() > deadline:
                    raise TimeoutError("it never held")
                self.news.wait(0.01)

    def calls(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def evaluate(self, attributes: dict[str, Any]) -> dict[str, Any]:
        flags = compile_definitions(self.definitions)
        known = {name: float(value) if isinstance(value, int) else value for name, value in attributes.items()}
        answers = []
        for key in flags:
            found = flags.evaluate(key, Subject(known, 0))
            assert found
            answer = {name: getattr(found, name) for name in ("key", "enabled", "variant", "value", "reason", "rule")}
            by = {"by": found.by} if found.by else {}
            answers.append({**answer, "flag_version": found.flag_version, "assignment_id": f"asg_{key}", **by})
        return {"flags": answers}


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away in the middle is what some tests are about.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server_of_test: FakeServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        fake = self.server_of_test
        path = urlsplit(self.path).path.removeprefix("/api/v1/")
        text = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = json.loads(text) if text else None
        etag = self.headers.get("If-None-Match")
        with fake.news:
            fake.asked.append(Asked(path, self.headers.get("X-API-Key"), etag, body))
            refusal = next((one for one in fake.refusals if one.path == path), None)
            if refusal:
                fake.refusals.remove(refusal)
        if refusal:
            self._send(refusal.status, refusal.body, refusal.headers)
        else:
            self._usual(path, body, etag)
        fake.tell()

    def _usual(self, path: str, body: Any, etag: str | None) -> None:
        fake = self.server_of_test
        if path == "feature-flags/definitions":
            self._send_tagged(fake.definitions, etag)
        elif path == "feature-flags/evaluate":
            self._send_tagged(fake.evaluate(body["attributes"]), etag)
        elif path == "feature-flags/changes" and fake.has_stream:
            self._stream()
        elif path == "tracking/events":
            with fake.news:
                fake.exposures.extend(
                    {"id": event["id"], "unit": event["user_id"], "time": event["time"], **event["properties"]}
                    for event in body["events"]
                )
            self._send(202, b"", {})
        else:
            self._send(404, b"", {})

    def _send_tagged(self, body: Any, known: str | None) -> None:
        headers = {"ETag": tag(body), "Content-Type": "application/json"}
        if known == headers["ETag"]:
            self._send(304, b"", headers)
        else:
            self._send(200, json.dumps(body).encode(), headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        fake = self.server_of_test
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b": hello\r\n\r\nevent: other\ndata: x\n\n")
        breaks = fake.breaks
        while fake.breaks == breaks:
            changes = fake.changes
            event = json.dumps({"type": "refetchEvaluation", "etag": tag(fake.definitions)})
            try:
                self.wfile.write(f"data: {event}\n\n".encode())
                self.wfile.flush()
            except OSError:
                break
            fake.tell()
            with fake.news:
                fake.news.wait_for(lambda: (fake.changes, fake.breaks) != (changes, breaks))
        self.close_connection = True


def on(**more: Any) -> dict[str, Any]:
    """A boolean flag of which everybody gets the same, unless more is said."""
    variants = {"on": True, "off": False}
    return {"type": "boolean", "version": 1, "variants": variants, "off": "off", "otherwise": {"serve": "on"}, **more}


def half(**more: Any) -> dict[str, Any]:
    """A flag that is on for half of all users."""
    return on(otherwise={"split": {"on": 50, "off": 50}, "by": "user_id"}, **more)
