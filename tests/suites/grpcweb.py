"""The interoperability tests of gRPC (Apache-2.0), asked by clients of gRPC-Web, with grpc-go behind the gateway."""

import json
import subprocess
import tempfile
from pathlib import Path

import site_under_test
from grpc import VERSION
from site_under_test import HOST, ROOT, SuiteError, command, free_port, go_program, program, tools, wait_for_port

MODULES = [
    "grpc-web@2.1.1",
    "xhr2@0.2.1",
    "@connectrpc/connect@2.2.0",
    "@connectrpc/connect-web@2.2.0",
    "@bufbuild/protobuf@2.17.0",
    "protobufjs@8.8.1",
]
SECONDS = 600


def run() -> tuple[int, list[str]]:
    """What clients in pages can do of the cases; how many passed, and which did not."""
    server = go_program("google.golang.org/grpc/interop/server", VERSION)
    place = fetch()
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with program([str(server), "--port", str(port)], directory / "server.log"):
            wait_for_port(port)
            operations = [("POST", "/{service}/{method}")]
            with site_under_test.edge(f"{HOST}:{port}", "http2", operations, directory, adjust=translate) as edge:
                results = asked(place, f"http://{HOST}:{edge.plain}")
    missed = [f"{name}: {what}" for name, what in results.items() if what is not None]
    return len(results) - len(missed), missed


def translate(snapshot: dict) -> None:
    """Lets the route take gRPC-Web."""
    policies = snapshot["routes"][0]["policies"]
    policies.append({**policies[0], "kind": "grpc_web", "config": {}})


def fetch() -> Path:
    """A place with the clients, made once."""
    place = tools() / "grpcweb"
    if not (place / ".complete").exists():
        place.mkdir(exist_ok=True)
        command(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(place), *MODULES])
        (place / ".complete").touch()
    return place


def asked(place: Path, url: str) -> dict[str, str | None]:
    """For each client and case, what went wrong."""
    # Packages are looked for beside the script.
    script = place / "ask.mjs"
    script.write_text((ROOT / "tests" / "suites" / "grpcweb" / script.name).read_text())
    ended = subprocess.run(
        ["node", str(script), url], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if ended.returncode != 0:
        raise SuiteError(f"{script.name}: {ended.stderr.strip()[-2000:]}")
    *left_out, results = ended.stdout.splitlines()
    for line in left_out:
        print(f"  {line}")
    return json.loads(results)
