"""Starts and ends programs, and puts load on them."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import procfs
from gateways import SEARCH_PATH, BenchError

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
# How wrk sends the calls of a file.
MANY = Path(__file__).resolve().parent / "load" / "many.lua"
# How it sends a body.
POST = MANY.with_name("post.lua")
BUILD_SECONDS = 1800
START_SECONDS = 20
STOP_SECONDS = 5
# What a load program may take beyond the duration it was asked for.
GRACE_SECONDS = 30
PACED_CONNECTIONS = 50


@dataclass(frozen=True)
class Target:
    """What the load asks for."""

    port: int
    path: str = "/"
    header: str | None = None
    # A file with lines `host path key` to be called in turn, in the place of path and header.
    calls: Path | None = None
    # A file with what is sent, as JSON.
    body: Path | None = None


@dataclass(frozen=True)
class Saturation:
    """What a closed loop of busy connections got through."""

    requests: int
    per_second: float
    errors: int


@dataclass(frozen=True)
class Paced:
    """What came of requests sent at a constant rate; fields as the pacer prints them."""

    answered: int
    failed: int
    unanswered: int
    reconnects: int
    per_second: float
    p50_us: int
    p90_us: int
    p99_us: int
    p999_us: int
    max_us: int


def build(package: str) -> Path:
    """Builds a package of the workspace in release mode; returns the directory of its programs."""
    _cargo("build", "--release", "--quiet", "--package", package)
    metadata = json.loads(_cargo("metadata", "--no-deps", "--format-version", "1"))
    return Path(metadata["target_directory"]) / "release"


def _cargo(*words: str) -> str:
    try:
        run = subprocess.run(
            ["cargo", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise BenchError("cargo was not found (https://rustup.rs)") from None
    except subprocess.TimeoutExpired:
        raise BenchError(f"cargo {words[0]} took more than {BUILD_SECONDS} s") from None
    if run.returncode != 0:
        raise BenchError(f"cargo {' '.join(words)} failed")
    return run.stdout


def xtask(*words: str) -> str:
    """Runs a task of the workshop and returns what it printed."""
    return _cargo("run", "--quiet", "--package", "xtask", "--", *words)


def wrk_program() -> str:
    path = shutil.which("wrk", path=SEARCH_PATH)
    if path is None:
        raise BenchError("wrk was not found (apt install wrk)")
    return path


@contextmanager
def running(
    command: list[str], port: int, output: Path, cpus: set[int] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs a program while the context lasts: starts it, waits until it listens, ends it.

    The program inherits the cores of this process unless `cpus` says otherwise.
    """
    if _is_listening(port):
        raise BenchError(f"port {port} is in use by another program")
    with started(command, output, cpus) as process:
        _wait_until_listening(process, port, output)
        yield process


@contextmanager
def started(
    command: list[str], output: Path, cpus: set[int] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """The same without waiting."""

    def pin() -> None:
        if cpus:
            os.sched_setaffinity(0, cpus)

    with output.open("wb") as sink:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                preexec_fn=pin,
            )
        except OSError as error:
            raise BenchError(f"{command[0]} did not start: {error}") from error
    try:
        yield process
    finally:
        _end(process)


def saturate(target: Target, connections: int, seconds: int) -> Saturation:
    """Keeps all connections busy with wrk, on one thread."""
    options = ["--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    header = ["--header", target.header] if target.header else []
    url = f"http://{HOST}:{target.port}{target.path}"
    script = ["--script", str(MANY if target.calls else POST)] if target.calls or target.body else []
    words = ["--", str(target.calls or target.body)] if script else []
    return parse_wrk(_run([wrk_program(), *options, *header, *script, url, *words], seconds))


def parse_wrk(text: str) -> Saturation:
    """Reads the summary that wrk prints."""
    requests = re.search(r"(\d+) requests in", text)
    per_second = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if requests is None or per_second is None:
        raise BenchError(f"wrk printed no summary: {text.strip()!r}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    errors = [*(refused.groups() if refused else ()), *(broken.groups() if broken else ())]
    return Saturation(
        requests=int(requests.group(1)),
        per_second=float(per_second.group(1)),
        errors=sum(int(count) for count in errors),
    )


def pace(target: Target, binaries: Path, rate: int, seconds: int) -> Paced:
    """Sends requests at a constant rate."""
    options = {
        "--port": target.port,
        "--path": target.path,
        "--rate": rate,
        "--seconds": seconds,
        "--connections": PACED_CONNECTIONS,
    }
    words = [str(word) for option in options.items() for word in option]
    header = ["--header", target.header] if target.header else []
    calls = ["--calls", str(target.calls)] if target.calls else []
    return Paced(**json.loads(_run([str(binaries / "pacer"), *words, *header, *calls], seconds)))


def _run(command: list[str], seconds: int) -> str:
    """Runs a load program that should take `seconds` and returns what it printed."""
    name = Path(command[0]).name
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + GRACE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{name} did not end in time") from None
    if run.returncode != 0:
        raise BenchError(f"{name} failed: {run.stderr.strip()}")
    return run.stdout


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int, output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _is_listening(port):
        if process.poll() is not None:
            last_line = output.read_text(errors="replace").strip().rpartition("\n")[2]
            raise BenchError(f"ended at once with status {process.returncode}: {last_line}")
        if time.monotonic() > deadline:
            raise BenchError(f"did not listen on port {port} within {START_SECONDS} s")
        time.sleep(0.05)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends a program we started and whatever it has started, by their process ids."""
    family = procfs.process_tree(process.pid)
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for member in _left_after(STOP_SECONDS, family):
        with suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)
    _left_after(STOP_SECONDS, family)


def _left_after(seconds: float, family: list[procfs.ProcessId]) -> list[procfs.ProcessId]:
    """Waits for processes to end and returns those that have not."""
    deadline = time.monotonic() + seconds
    while left := [member for member in family if procfs.is_running(member)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return left
