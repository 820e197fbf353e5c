"""The interoperability tests of gRPC (Apache-2.0), with grpc-go on both sides of the gateway."""

import subprocess
import tempfile
from pathlib import Path

import site_under_test
from site_under_test import HOST, free_port, go_program, program, wait_for_port

VERSION = "v1.85.0"
SECONDS = 60
CASES = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "custom_metadata",
]


def run() -> tuple[int, list[str]]:
    """The cases that need no account of a cloud; how many passed, and which did not."""
    server = go_program("google.golang.org/grpc/interop/server", VERSION)
    client = go_program("google.golang.org/grpc/interop/client", VERSION)
    port = free_port()
    missed = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with program([str(server), "--port", str(port)], directory / "server.log"):
            wait_for_port(port)
            operations = [("POST", "/{service}/{method}")]
            with site_under_test.edge(f"{HOST}:{port}", "http2", operations, directory) as edge:
                for case in CASES:
                    words = [str(client), f"--server_host={HOST}", f"--server_port={edge.plain}", f"--test_case={case}"]
                    try:
                        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
                        if done.returncode != 0:
                            missed.append(f"{case}: {done.stderr.strip().splitlines()[-1:]}")
                    except subprocess.TimeoutExpired:
                        missed.append(f"{case}: no end")
    return len(CASES) - len(missed), missed
