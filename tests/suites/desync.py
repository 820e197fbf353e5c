"""A corpus of ambiguous messages: what the gateway forwards has to be the same to three strict parsers.

The parsers are h11 (Python), net/http (Go) and llhttp (Node). The upstream writes down every byte that it gets; each
connection is then read by all three. They have to agree, to find no more requests than an honest reading of what the
client sent, and never the hidden one.
"""

import base64
import importlib
import json
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import venv
from collections.abc import Callable
from pathlib import Path

import corpus
import site_under_test
from site_under_test import HOST, SuiteError, command, tools

PACKAGES = ["h11==0.16.0", "h2==4.2.0"]
PARSERS = Path(__file__).resolve().parent / "parsers"
SECONDS = 2.0
OPERATIONS = [(method, path) for method in ("GET", "POST", "OPTIONS") for path in ("/x", "/hidden")]
# Some shapes are odd but honest; were they refused, nothing would be left to be judged.
FORWARDED_MIN = 20
Found = list[tuple[str, str, bytes]]


class Recorder:
    """An upstream that writes down what each connection brings, and answers what h11 takes for a request."""

    def __init__(self, h11: object) -> None:
        self.h11 = h11
        self.listener = socket.create_server((HOST, 0), backlog=256)
        self.received: list[bytearray] = []
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{HOST}:{self.listener.getsockname()[1]}"

    def accept(self) -> None:
        """Takes connections for ever."""
        while True:
            connection, _ = self.listener.accept()
            record = bytearray()
            self.received.append(record)
            threading.Thread(target=self.serve, args=(connection, record), daemon=True).start()

    def serve(self, connection: socket.socket, record: bytearray) -> None:
        """Answers requests until the connection ends or h11 refuses what came."""
        h11 = self.h11
        reader = h11.Connection(h11.SERVER)
        with connection:
            try:
                while True:
                    event = reader.next_event()
                    if event is h11.NEED_DATA:
                        data = connection.recv(65536)
                        record += data
                        reader.receive_data(data)
                    elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                        return
                    elif isinstance(event, h11.EndOfMessage):
                        head = h11.Response(status_code=200, headers=[("content-length", "2")])
                        for part in (head, h11.Data(data=b"ok"), h11.EndOfMessage()):
                            connection.sendall(reader.send(part))
                        reader.start_next_cycle()
            except (OSError, h11.ProtocolError):
                return

    def take(self) -> list[bytes]:
        """What came since the last time, per connection: the gateway uses them again."""
        taken = []
        for record in self.received:
            taken.append(bytes(record))
            record.clear()
        return [text for text in taken if text]


def libraries() -> None:
    """Puts h11 and h2 on the search path; they are fetched once."""
    place = tools() / "python"
    packages = place / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    if not (packages / "h2").exists():
        venv.create(place, with_pip=True)
        command([str(place / "bin" / "pip"), "install", "--quiet", *PACKAGES])
    sys.path.insert(0, str(packages))


def with_h11(h11: object, text: bytes) -> tuple[Found, str | None]:
    """The requests that h11 finds."""
    reader, found = h11.Connection(h11.SERVER), []
    reader.receive_data(text)
    reader.receive_data(b"")
    while True:
        try:
            event = reader.next_event()
        except h11.ProtocolError as error:
            return found, str(error)
        if isinstance(event, h11.Request):
            found.append([event.method.decode(), event.target.decode(), b""])
        elif isinstance(event, h11.Data):
            found[-1][2] += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            head = h11.Response(status_code=200, headers=[("content-length", "0")])
            reader.send(head)
            reader.send(h11.EndOfMessage())
            if reader.their_state is h11.MUST_CLOSE or reader.our_state is h11.MUST_CLOSE:
                return [tuple(request) for request in found], None
            reader.start_next_cycle()
        else:
            return [tuple(request) for request in found], None


class Outside:
    """A parser that is a program: a line in, a line out."""

    def __init__(self, words: list[str]) -> None:
        self.running = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, text: bytes) -> tuple[Found, str | None]:
        """The requests that it finds."""
        self.running.stdin.write(base64.b64encode(text).decode() + "\n")
        self.running.stdin.flush()
        answer = json.loads(self.running.stdout.readline())
        requests = [(one["method"], one["target"], base64.b64decode(one["body"])) for one in answer["requests"]]
        return requests, answer["error"]

    def end(self) -> None:
        """Ends the program."""
        self.running.stdin.close()
        self.running.wait(5)


def send(port: int, text: bytes) -> bytes:
    """Sends bytes as a client that says nothing more; what comes back."""
    with socket.create_connection((HOST, port)) as client:
        client.settimeout(SECONDS)
        client.sendall(text)
        answer = b""
        try:
            while part := client.recv(65536):
                answer += part
                # Further answers come at once, if there are any.
                client.settimeout(0.1)
        except (TimeoutError, ConnectionError):
            pass
        return answer


def send_http2(port: int, more: list[tuple[str, str]]) -> None:
    """Sends a request of HTTP/2 whose head nobody has checked."""
    connection = importlib.import_module("h2.connection")
    config = importlib.import_module("h2.config").H2Configuration(
        validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None
    )
    speaker = connection.H2Connection(config)
    head = [(":method", "POST"), (":scheme", "https"), (":authority", "g"), (":path", "/x")]
    named = {name for name, _ in more}
    head = [field for field in head if field[0] not in named] + more if named & {n for n, _ in head} else head + more
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((HOST, port)) as plain, context.wrap_socket(plain, server_hostname="g") as client:
        client.settimeout(SECONDS)
        speaker.initiate_connection()
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head]
        speaker.send_headers(1, fields)
        speaker.send_data(1, b"hello", end_stream=True)
        client.sendall(speaker.data_to_send())
        try:
            client.recv(65536)
            client.settimeout(0.2)
            while client.recv(65536):
                pass
        except (TimeoutError, OSError):
            pass


def judge(name: str, records: list[bytes], most: int, parsers: dict[str, Callable]) -> list[str]:
    """What is wrong with what the upstream got."""
    wrong, total = [], 0
    for record in records:
        readings = {parser: read(record) for parser, read in parsers.items()}
        first, error = readings["h11"]
        for parser, (found, failed) in readings.items():
            whole = found if failed is None else found[: len(first)]
            if whole != first:
                wrong.append(f"{name}: h11 finds {first}, {parser} {found} ({failed})")
        # A request that broke off on the way is no request to anybody.
        total += len(first) if error is None else max(0, len(first) - 1)
        if most == 1 and any("hidden" in target for _, target, _ in first):
            wrong.append(f"{name}: the hidden request got through")
    if total > most:
        wrong.append(f"{name}: {total} requests instead of {most}")
    return wrong


def run() -> tuple[int, list[str]]:
    """All shapes; how many passed, and which did not."""
    libraries()
    h11 = importlib.import_module("h11")
    parser = tools() / "bin" / "parser"
    command(["go", "build", "-o", str(parser), "."], cwd=PARSERS / "go")
    if shutil.which("node") is None:
        raise SuiteError("`node` is missing")
    programs = {"net/http": Outside([str(parser)]), "llhttp": Outside(["node", str(PARSERS / "node.js")])}
    parsers = {"h11": lambda text: with_h11(h11, text), **programs}
    upstream = Recorder(h11)
    missed, forwarded = [], 0
    with tempfile.TemporaryDirectory() as name:
        with site_under_test.edge(upstream.address, "http1", OPERATIONS, Path(name)) as edge:
            for shape in corpus.SHAPES:
                send(edge.plain, shape.sent)
                records = upstream.take()
                forwarded += bool(records)
                missed += judge(shape.name, records, shape.requests, parsers)
            for shape, fields in corpus.DOWNGRADES.items():
                send_http2(edge.tls, fields)
                records = upstream.take()
                forwarded += bool(records)
                missed += judge(f"HTTP/2: {shape}", records, 1, parsers)
    for program in programs.values():
        program.end()
    if forwarded < FORWARDED_MIN:
        missed.append(f"all: only {forwarded} shapes were forwarded, so nothing was judged")
    failed = {line.partition(": ")[0] for line in missed}
    return len(corpus.SHAPES) + len(corpus.DOWNGRADES) - len(failed), missed
