"""What gateline-edge says of itself, read by OpenTelemetry's own messages and by Prometheus' own parser."""

import http.client
import importlib
import json
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import site_under_test
from site_under_test import HOST, SuiteError, command, free_port, tools

PACKAGES = ["opentelemetry-proto==1.45.2", "prometheus-client==0.26.0"]
SECONDS = 20
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SETTINGS = """
[gateway.traces]
endpoint = "http://{host}:{port}/v1/traces"
headers_file = "{headers}"
schedule_delay_ms = 50
resource_attributes = {{ "deployment.environment.name" = "test" }}
"""
SERVER, CLIENT = 2, 3


def packages() -> None:
    """Makes the two packages of PyPI importable; fetched once."""
    place = tools() / "python"
    if not (place / ".complete").exists():
        command([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(place), *PACKAGES])
        (place / ".complete").touch()
    sys.path.insert(0, str(place))


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


class Receiver(ThreadingHTTPServer):
    """Takes spans; the first try is answered with 503 and a time after which to come again."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.refused = 0
        super().__init__((HOST, 0), Taking)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def spans(self) -> list[tuple[object, object]]:
        """Each span with its resource."""
        messages = module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
        found = []
        for _, body in self.requests:
            request = messages.ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    found += [(span, resource.resource) for span in scope.spans]
        return found


class Taking(BaseHTTPRequestHandler):
    """One request of an exporter."""

    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        """Takes it, but for the first one."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.refused == 0:
            self.server.refused += 1
            self.send_response(503)
            self.send_header("Retry-After", "1")
        else:
            fields = {name.lower(): value for name, value in self.headers.items()}
            self.server.requests.append(({**fields, ":path": self.path}, body))
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Upstream(ThreadingHTTPServer):
    """Answers 200, `/flaky` every other time 503, and remembers what it was told."""

    def __init__(self) -> None:
        self.heads: list[tuple[str, dict[str, str]]] = []
        super().__init__((HOST, 0), Answering)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answering(BaseHTTPRequestHandler):
    """One request of the gateway."""

    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        """Answers."""
        fields = {name.lower(): value for name, value in self.headers.items()}
        self.server.heads.append((self.path, fields))
        times = sum(path == self.path for path, _ in self.server.heads)
        self.send_response(503 if self.path.startswith("/flaky") and times % 2 else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def run() -> tuple[int, list[str]]:
    """How many checks passed, and which did not."""
    packages()
    checks = Checks()
    receiver, upstream = Receiver(), Upstream()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        headers = directory / "headers"
        headers.write_text("x-api-token: a secret\n")
        settings = SETTINGS.format(host=HOST, port=receiver.server_port, headers=headers)
        operations = [("GET", "/pets/{id}"), ("GET", "/flaky")]
        address = f"{HOST}:{upstream.server_port}"
        with site_under_test.edge(address, "http1", operations, directory, settings, retrying) as edge:
            get(edge.plain, "/pets/7?secret=1", {"user-agent": "suite"})
            parent = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=1,b=2"}
            get(edge.plain, "/flaky", parent)
            get(edge.plain, "/pets/8", {"traceparent": f"00-{TRACE}-{PARENT}-00"})
            get(edge.plain, "/nowhere", {})
            spans = wait_for_spans(receiver, 6)
            figures = get(edge.plain, "/metrics", {})[1].decode()
        checks.spans(spans, upstream)
        checks.exports(receiver, (directory / "edge.log").read_text())
        checks.figures(figures)
    return checks.passed, checks.missed


def retrying(snapshot: dict) -> None:
    """Has answers of 503 tried again."""
    retries = snapshot["upstreams"][0]["spec"].setdefault("retries", {})
    retries |= {"statuses": [503], "attempts_max": 2, "backoff_ms": 1, "budget_percent": 100}


def get(port: int, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """One call."""
    connection = http.client.HTTPConnection(HOST, port, timeout=SECONDS)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def wait_for_spans(receiver: Receiver, count: int) -> list[tuple[object, object]]:
    """The spans, once there are so many; more would be a fault, so it waits a moment longer."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if len(receiver.spans()) >= count:
            time.sleep(0.3)
            return receiver.spans()
        time.sleep(0.05)
    raise SuiteError(f"{len(receiver.spans())} spans came, not {count}")


def values(attributes: object) -> dict[str, object]:
    """Attributes by name."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


class Checks:
    """What was found right and wrong."""

    def __init__(self) -> None:
        self.passed = 0
        self.missed: list[str] = []

    def that(self, what: str, found: object, expected: object = True) -> None:
        """Notes one check."""
        if found == expected:
            self.passed += 1
        else:
            self.missed.append(f"{what}: {found!r}, not {expected!r}")

    def spans(self, spans: list[tuple[object, object]], upstream: Upstream) -> None:
        """Two spans of a plain call, three of one that was tried again, one of one that no route takes; none of one
        whose parent was not sampled."""
        self.that("number of spans", len(spans), 6)
        servers = {values(span.attributes)["url.path"]: span for span, _ in spans if span.kind == SERVER}
        self.that("server spans", sorted(servers), ["/flaky", "/nowhere", "/pets/7"])
        clients: dict[bytes, list] = {}
        for span, _ in spans:
            if span.kind == CLIENT:
                clients.setdefault(span.parent_span_id, []).append(span)
        self.plain(servers["/pets/7"], clients)
        self.again(servers["/flaky"], clients, upstream)
        nowhere = servers["/nowhere"]
        self.that("a 404 is no error", nowhere.status.code, 0)
        self.that("its status", values(nowhere.attributes)["http.response.status_code"], 404)
        self.that("its name", nowhere.name, "GET")
        self.that("it was not sent", nowhere.span_id in clients, False)
        passed_on = [head["traceparent"] for path, head in upstream.heads if path == "/pets/8"]
        self.that("a parent that is not sampled", passed_on, [f"00-{TRACE}-{PARENT}-00"])
        resource = values(spans[0][1].attributes)
        self.that("service", (resource["service.name"], resource["deployment.environment.name"]), ("gateline", "test"))

    def plain(self, server: object, clients: dict[bytes, list]) -> None:
        """A call that was sent once."""
        said = values(server.attributes)
        expected = {
            "http.request.method": "GET",
            "http.route": "/pets/{id}",
            "url.scheme": "http",
            "http.response.status_code": 200,
            "server.address": HOST,
            "user_agent.original": "suite",
            "network.protocol.version": "1.1",
            "client.address": HOST,
        }
        self.that("attributes of the server", {name: said.get(name) for name in expected}, expected)
        self.that("no query unless it is wanted", "url.query" in said, False)
        self.that("name", server.name, "GET /pets/{id}")
        self.that("no parent", server.parent_span_id, b"")
        self.that("ids", (len(server.trace_id), len(server.span_id)), (16, 8))
        ours = clients.get(server.span_id, [])
        self.that("one client span", len(ours), 1)
        client = ours[0]
        self.that("same trace", client.trace_id, server.trace_id)
        inside = server.start_time_unix_nano <= client.start_time_unix_nano
        inside &= client.start_time_unix_nano <= client.end_time_unix_nano <= server.end_time_unix_nano
        self.that("within the server span", inside)
        said = values(client.attributes)
        self.that("target", said["server.address"], HOST)
        self.that("URL", said["url.full"].endswith("/pets/7"))

    def again(self, server: object, clients: dict[bytes, list], upstream: Upstream) -> None:
        """A call with a parent that was sent twice."""
        self.that("trace of the parent", (server.trace_id.hex(), server.parent_span_id.hex()), (TRACE, PARENT))
        self.that("state of the trace", server.trace_state, "a=1,b=2")
        ours = sorted(clients.get(server.span_id, []), key=lambda span: span.start_time_unix_nano)
        self.that("statuses", [values(span.attributes)["http.response.status_code"] for span in ours], [503, 200])
        self.that("error of the first", (ours[0].status.code, values(ours[0].attributes)["error.type"]), (2, "503"))
        self.that("the second one", values(ours[1].attributes)["http.request.resend_count"], 1)
        told = [head for path, head in upstream.heads if path == "/flaky"]
        expected = [f"00-{TRACE}-{span.span_id.hex()}-01" for span in ours]
        self.that("parents told", [head["traceparent"] for head in told], expected)
        self.that("states told", {head["tracestate"] for head in told}, {"a=1,b=2"})

    def exports(self, receiver: Receiver, log: str) -> None:
        """How spans came."""
        self.that("tried again after 503", receiver.refused, 1)
        fields, _ = receiver.requests[0]
        self.that("path", fields[":path"], "/v1/traces")
        self.that("content type", fields["content-type"], "application/x-protobuf")
        self.that("field of the file", fields["x-api-token"], "a secret")
        self.that("the secret is not in the log", "a secret" in log, False)

    def figures(self, text: str) -> None:
        """The figures, as Prometheus reads them."""
        families = list(module("prometheus_client.parser").text_string_to_metric_families(text))
        names = [family.name for family in families]
        self.that("families told twice", {name for name in names if names.count(name) > 1}, set())
        self.that("every family has its help", all(family.documentation for family in families))
        known = {"counter", "gauge", "histogram", "summary"}
        self.that("every family has its type", {family.type for family in families} - known, set())
        samples = [(sample.name, tuple(sorted(sample.labels.items()))) for family in families for sample in family.samples]
        self.that("samples are told once", len(samples), len(set(samples)))
        by_name = {family.name: family for family in families}
        histogram = by_name["gateline_request_duration_seconds"]
        buckets = [sample.value for sample in histogram.samples if sample.name.endswith("_bucket")]
        self.that("buckets rise", buckets, sorted(buckets))
        count = next(sample.value for sample in histogram.samples if sample.name.endswith("_count"))
        self.that("the last one has all", (buckets[-1], count >= 4), (count, True))
        self.that("spans are counted", by_name["gateline_spans_exported"].samples[0].value, 6)
        routes = {sample.labels["route"] for sample in by_name["gateline_route_requests"].samples}
        self.that("one route", len(routes), 1)


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
