"""A gateline-edge with one open route, and the programs that the suites are made of."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
START_SECONDS = 20
STOP_SECONDS = 5
BUILD_SECONDS = 3600
CONFIGURATION = """\
[gateway]
listen = "{host}:{plain}"
listen_tls = "{host}:{tls}"
cores = 1

[gateway.http3]
enabled = true

[[gateway.listeners]]
address = "{host}:{plain2}"
protocols = "http2"
"""


class SuiteError(Exception):
    """A suite could not be run."""


@dataclass(frozen=True)
class Edge:
    """Where the gateway listens."""

    plain: int
    plain2: int
    tls: int


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def tools() -> Path:
    """A directory for what is fetched: kept between runs, outside the sources."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    place = target / "suites"
    place.mkdir(parents=True, exist_ok=True)
    return place


def command(words: list[str], **options: object) -> str:
    """Runs a program to its end; what it prints."""
    if shutil.which(words[0]) is None:
        raise SuiteError(f"`{words[0]}` is missing")
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS, **options)
    if done.returncode != 0:
        raise SuiteError(f"{' '.join(words)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def go_program(package: str, version: str) -> Path:
    """A program of the Go module proxy, built once."""
    program = tools() / "bin" / package.rpartition("/")[2]
    if not program.exists():
        environment = {**os.environ, "GOBIN": str(program.parent)}
        command(["go", "install", f"{package}@{version}"], env=environment)
    return program


@contextmanager
def program(words: list[str], log: Path) -> Iterator[subprocess.Popen]:
    """Runs a program until the end of the block."""
    with log.open("w") as output:
        running = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def wait_for_port(port: int) -> None:
    """Waits until somebody listens."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    raise SuiteError(f"nobody listens on port {port}")


@contextmanager
def edge(
    upstream: str,
    protocol: str,
    operations: list[tuple[str, str]],
    directory: Path,
    settings: str = "",
    adjust: Callable[[dict], None] = lambda _: None,
) -> Iterator[Edge]:
    """Runs gateline-edge with an open route of these operations at `/`; `settings` are TOML."""
    cargo = os.environ.get("CARGO", "cargo")
    command([cargo, "build", "--quiet", "-p", "gateline-edge"], cwd=ROOT)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    snapshot = directory / "snapshot.json"
    command([cargo, "run", "--quiet", "-p", "xtask", "--", "bench-snapshot", str(snapshot), upstream, "--open"], cwd=ROOT)
    change(snapshot, protocol, operations, f"http://{upstream}", adjust)
    ports = Edge(free_port(), free_port(), free_port())
    configuration = directory / "gateline.toml"
    configuration.write_text(CONFIGURATION.format(host=HOST, **ports.__dict__) + settings)
    words = [str(target / "debug" / "gateline-edge"), "--config", str(configuration)]
    words += ["--data-dir", str(directory / "data"), "--snapshot", str(snapshot)]
    with program(words, directory / "edge.log"):
        wait_for_port(ports.plain)
        wait_until_ready(ports.plain, directory)
        yield ports


def change(
    snapshot: Path, protocol: str, operations: list[tuple[str, str]], url: str, adjust: Callable[[dict], None]
) -> None:
    """Makes the snapshot of the benchmark that of a suite."""
    content = json.loads(snapshot.read_text())
    spec = content["upstreams"][0]["spec"]
    spec["protocol"] = protocol
    spec["targets"][0]["url"] = url
    route = content["routes"][0]
    route["base_path"] = ""
    model = route["operations"][0]
    route["operations"] = [{**model, "method": method, "path": path} for method, path in operations]
    adjust(content)
    snapshot.write_text(json.dumps(content))


def wait_until_ready(port: int, directory: Path) -> None:
    """Waits until the snapshot is served."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health/ready", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise SuiteError(f"gateline-edge is not ready: {(directory / 'edge.log').read_text()[-2000:]}")
