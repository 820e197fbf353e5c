"""A stand-in for the control plane: hands out snapshots as fast as it is told to."""

import hashlib
import hmac
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

TOKEN = "benchmark"
# How long a poll is held back while there is nothing newer.
HOLD_SECONDS = 5
_BEGINS = '{{"format":1,"revision":{revision}'


def packed(rest: bytes, revision: int) -> bytes:
    """A snapshot as it travels: what stands behind the revision, with another beginning before it.

    Frames of zstd may follow each other; one of a few bytes that are not compressed is easily made.
    """
    begins = _BEGINS.format(revision=revision).encode()
    single_segment, raw_and_last = b"\x20", (len(begins) << 3 | 1).to_bytes(3, "little")
    frame = b"\x28\xb5\x2f\xfd" + single_segment + bytes([len(begins)]) + raw_and_last + begins
    return frame + rest


def mac(body: bytes) -> bytes:
    return hmac.new(TOKEN.encode(), body, hashlib.sha256).digest()


def copy(rest: bytes, revision: int) -> bytes:
    """The same as it lies on a node's disk."""
    body = packed(rest, revision)
    return mac(body) + body


class Control:
    """Serves revision after revision, `per_second` of them from the moment it is told to."""

    def __init__(self, rest: bytes) -> None:
        self._rest = rest
        self._began: float | None = None
        self._first = 2
        self._per_second = 0.0
        self.sent: dict[int, float] = {}
        self.served: dict[int, float] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Control":
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def change(self, per_second: float) -> None:
        """From now on there is a new revision so often; 0 for none."""
        self._first, self._per_second, self._began = self.revision(), per_second, time.monotonic()

    def revision(self) -> int:
        """The newest revision at this moment."""
        if self._began is None:
            return self._first
        return self._first + int((time.monotonic() - self._began) * self._per_second)

    def next_after(self, revision: int) -> tuple[int, bytes] | None:
        """The newest snapshot, once it is newer than what the node has."""
        until = time.monotonic() + HOLD_SECONDS
        while (newest := self.revision()) <= revision:
            if time.monotonic() > until:
                return None
            time.sleep(0.002)
        body = packed(self._rest, newest)
        self.sent.setdefault(newest, time.monotonic())
        return newest, body

    def delays(self) -> list[float]:
        """Seconds from the answer with a snapshot to the word that it is served, as far as it came."""
        return [at - self.sent[revision] for revision, at in self.served.items() if revision in self.sent]


def _handler(control: Control) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            if "after" not in query:
                # Nobody asks the node anything here.
                return self.answer(503, b"")
            found = control.next_after(int(query["after"][0]))
            if found is None:
                return self.answer(204, b"")
            return self.answer(200, found[1], {"gateline-mac": mac(found[1]).hex()})

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["content-length"]))
            if not self.path.endswith("/status"):
                # Nobody counts here; the node keeps it in its log.
                return self.answer(503, b"")
            control.served.update(_applied(text))
            return self.answer(204, b"")

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *words: object) -> None:
            """Says nothing: what went wrong is in the figures."""

    return Handler


def _applied(text: bytes) -> dict[int, float]:
    told = json.loads(text)
    return {int(told["revision"]): time.monotonic()} if told["state"] == "applied" else {}
