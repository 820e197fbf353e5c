"""aioquic (BSD-3-Clause) as a client of HTTP/3: another QUIC, another QPACK, another reading of RFC 9114."""

import asyncio
import ssl
import sys
import tempfile
import threading
import venv
from pathlib import Path

import site_under_test
from h2spec import Handler, Server
from site_under_test import HOST, command, tools

PACKAGES = ["aioquic==1.7.2"]
SECONDS = 30
ANSWER = Handler.body
MANY = 100


def fetch() -> None:
    """Makes aioquic known to this program."""
    place = tools() / "http3"
    packages = place / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    if not (packages / "aioquic").exists():
        venv.create(place, with_pip=True)
        command([str(place / "bin" / "pip"), "install", "--quiet", *PACKAGES])
    sys.path.insert(0, str(packages))


def client_class() -> type:
    """The client; made late, because its base is fetched first."""
    from aioquic.asyncio import QuicConnectionProtocol
    from aioquic.h3.connection import H3Connection
    from aioquic.h3.events import DataReceived, HeadersReceived
    from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamReset

    class Reading(H3Connection):
        """aioquic 1.7.2 wants as many bytes after the head of an answer to HEAD as that says; RFC 9114 section 4.1.2
        wants none."""

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            self.without_content: set[int] = set()

        def _check_content_length(self, stream: object) -> None:
            if stream.stream_id not in self.without_content:
                super()._check_content_length(stream)

    class Client(QuicConnectionProtocol):
        """Asks, and waits for whole answers."""

        def __init__(self, *arguments: object, **named: object) -> None:
            super().__init__(*arguments, **named)
            self.http = Reading(self._quic)
            self.heads: dict[int, list[tuple[bytes, bytes]]] = {}
            self.bodies: dict[int, bytes] = {}
            self.waiting: dict[int, asyncio.Future] = {}

        def quic_event_received(self, event: QuicEvent) -> None:
            if isinstance(event, StreamReset):
                self.end(event.stream_id, RuntimeError(f"reset {event.error_code:#x}"))
            if isinstance(event, ConnectionTerminated):
                for stream in list(self.waiting):
                    self.end(stream, RuntimeError(f"closed {event.error_code:#x}"))
            for found in self.http.handle_event(event):
                if isinstance(found, HeadersReceived):
                    self.heads.setdefault(found.stream_id, []).extend(found.headers)
                elif isinstance(found, DataReceived):
                    self.bodies[found.stream_id] = self.bodies.get(found.stream_id, b"") + found.data
                if found.stream_ended:
                    self.end(found.stream_id, None)

        def end(self, stream: int, error: Exception | None) -> None:
            waiting = self.waiting.pop(stream, None)
            if waiting and not waiting.done():
                waiting.set_exception(error) if error else waiting.set_result(None)

        async def ask(self, method: str, body: bytes = b"", more: list[tuple[bytes, bytes]] | None = None) -> tuple[int, bytes]:
            """The status and body of an answer."""
            stream = self._quic.get_next_available_stream_id()
            head = [
                (b":method", method.encode()),
                (b":scheme", b"https"),
                (b":authority", b"localhost"),
                (b":path", b"/x"),
                *(more or []),
            ]
            if method == "HEAD":
                self.http.without_content.add(stream)
            self.waiting[stream] = asyncio.get_running_loop().create_future()
            waiting = self.waiting[stream]
            self.http.send_headers(stream, head, end_stream=not body)
            if body:
                self.http.send_data(stream, body, end_stream=True)
            self.transmit()
            await asyncio.wait_for(waiting, SECONDS)
            return int(dict(self.heads[stream])[b":status"]), self.bodies.get(stream, b"")

    return Client


async def cases(port: int) -> tuple[int, list[str]]:
    """Runs all cases; how many passed, and which did not."""
    from aioquic.asyncio.client import connect
    from aioquic.h3.connection import H3_ALPN
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.packet import QuicProtocolVersion

    client = client_class()
    tickets: list[object] = []

    def dial(**more: object) -> object:
        configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, **more)
        configuration.server_name = "localhost"
        return connect(
            HOST, port, configuration=configuration, create_protocol=client, session_ticket_handler=tickets.append
        )

    async def plain() -> None:
        async with dial() as it:
            assert await it.ask("GET") == (200, ANSWER)
            assert await it.ask("HEAD") == (200, b"")
            for size in (1, 16_384, 1_000_000):
                assert await it.ask("POST", b"a" * size) == (200, ANSWER), size
            assert (await it.ask("DELETE"))[0] == 405

    async def many() -> None:
        async with dial() as it:
            answers = await asyncio.gather(*(it.ask("GET") for _ in range(MANY)))
            assert answers == [(200, ANSWER)] * MANY

    async def fields() -> None:
        async with dial() as it:
            crumbs = [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-long", b"y" * 20_000), (b"x-same", b"1")]
            for _ in range(3):
                assert (await it.ask("GET", more=crumbs))[0] == 200
            long = [(f"x-long-{number}".encode(), b"y" * 20_000) for number in range(4)]
            status, _ = await it.ask("GET", more=long)
            assert status == 431, status

    async def keys() -> None:
        async with dial() as it:
            assert (await it.ask("GET"))[0] == 200
            it.request_key_update()
            assert (await it.ask("GET"))[0] == 200

    async def identifiers() -> None:
        async with dial() as it:
            assert (await it.ask("GET"))[0] == 200
            it.change_connection_id()
            assert (await it.ask("GET"))[0] == 200
            await it.ping()

    async def versions() -> None:
        offered = [QuicProtocolVersion.VERSION_2, QuicProtocolVersion.VERSION_1]
        async with dial(supported_versions=offered) as it:
            assert (await it.ask("GET"))[0] == 200

    async def resumed() -> None:
        assert tickets, "a ticket came"
        assert not any(ticket.max_early_data_size for ticket in tickets), "no early data is offered"
        async with dial(session_ticket=tickets[-1]) as it:
            assert (await it.ask("GET"))[0] == 200
            assert it._quic.tls.session_resumed

    async def refused() -> None:
        async with dial() as it:
            try:
                await it.ask("GET", more=[(b"transfer-encoding", b"chunked")])
            except RuntimeError as error:
                assert str(error) == "reset 0x10e", error
            else:
                raise AssertionError("it was answered")
            assert (await it.ask("GET"))[0] == 200

    passed, missed = 0, []
    for case in (plain, many, fields, keys, identifiers, versions, resumed, refused):
        try:
            await asyncio.wait_for(case(), 2 * SECONDS)
            passed += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, the case failed
            missed.append(f"{case.__name__}: {type(error).__name__}: {error}")
    return passed, missed


def run() -> tuple[int, list[str]]:
    """Requests, many at once, fields, key updates, connection ids, versions, resumption, refusals."""
    fetch()
    upstream = Server((HOST, 0), Handler)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    address = f"{HOST}:{upstream.server_address[1]}"
    with tempfile.TemporaryDirectory() as name:
        operations = [("GET", "/x"), ("POST", "/x")]
        with site_under_test.edge(address, "http1", operations, Path(name)) as edge:
            found = asyncio.run(cases(edge.tls))
    upstream.shutdown()
    return found
