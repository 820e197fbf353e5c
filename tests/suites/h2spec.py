"""h2spec (MIT): whether HTTP/2 is spoken as RFC 9113 and RFC 7541 have it."""

import http.server
import re
import subprocess
import tempfile
import threading
from pathlib import Path

import site_under_test
from site_under_test import HOST, go_program

PACKAGE = "github.com/summerwind/h2spec/cmd/h2spec"
VERSION = "v2.2.1+incompatible"
SECONDS = 600
FAILURE = re.compile(r"^\s*× (.*)$", re.MULTILINE)
SCORE = re.compile(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed")


class Handler(http.server.BaseHTTPRequestHandler):
    """Reads whatever comes and answers with a body that takes several frames."""

    protocol_version = "HTTP/1.1"
    body = b"0123456789abcdef" * 64

    def do_GET(self) -> None:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.body)

    do_POST = do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Says nothing: the suite breaks off many requests."""


class Server(http.server.ThreadingHTTPServer):
    """An upstream that does not mind connections that break."""

    daemon_threads = True
    # Python's own 5 lose connections that begin together.
    request_queue_size = 256

    def handle_error(self, *_: object) -> None:
        """Says nothing, for the same reason."""


def run() -> tuple[int, list[str]]:
    """All cases, strictly, in plain text and over TLS; how many passed, and which did not."""
    tool = go_program(PACKAGE, VERSION)
    upstream = Server((HOST, 0), Handler)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    address = f"{HOST}:{upstream.server_address[1]}"
    passed, missed = 0, []
    with tempfile.TemporaryDirectory() as name:
        with site_under_test.edge(address, "http1", [("GET", "/x"), ("POST", "/x")], Path(name)) as edge:
            for kind, port, more in [("h2c", edge.plain2, []), ("TLS", edge.tls, ["-t", "-k"])]:
                words = [str(tool), "--strict", "-h", HOST, "-p", str(port), "-P", "/x", "-o", "5", *more]
                done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
                score = SCORE.search(done.stdout)
                if score is None:
                    raise site_under_test.SuiteError(done.stdout[-1000:] + done.stderr[-1000:])
                passed += int(score[2])
                after = done.stdout.partition("Failures:")[2]
                missed += [f"{kind}: {line}" for line in FAILURE.findall(after)]
                missed += [f"{kind}: {score[3]} skipped"] if int(score[3]) else []
    upstream.shutdown()
    return passed, missed
