"""One round of one gateway: start it, check it, load it, read the figures."""

import http.client
import re
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import procfs
from drive import HOST, Paced, Saturation, Target, pace, running, saturate
from gateways import BenchError, Gateway

WARM_UP_SECONDS = 2
SETTLE_SECONDS = 0.5
# Foreign work above this many cores makes a round noisy.
NOISE_CORES = 0.08
REFUSALS = (401, 403)


@dataclass(frozen=True)
class Load:
    """What every gateway is put through."""

    path: str
    answer_bytes: int
    connections: int
    seconds: int
    rate: int


@dataclass(frozen=True)
class Bench:
    """What the rounds of a case have in common."""

    load: Load
    binaries: Path
    upstream: "subprocess.Popen[bytes]"
    gateway_cpu: int
    quiet_wait: float


@dataclass(frozen=True)
class Round:
    """The figures of one round. CPU is given in seconds per 100,000 requests."""

    cpu: float
    cpu_user: float
    cpu_system: float
    core_share: float
    per_second: float
    rss_mib: float
    paced_cpu: float
    paced_per_second: float
    p50_us: int
    p99_us: int
    p999_us: int
    max_us: int
    errors: int
    records_share: float | None
    foreign_cores: float
    noisy: bool


@dataclass(frozen=True)
class Spell:
    """The CPU time that a stretch of load has taken."""

    gateway: procfs.CpuTime
    foreign: float
    seconds: float


class Meter:
    """Tells the CPU time of the gateway and of strangers since it was made."""

    def __init__(self, bench: Bench, gateway_pid: int) -> None:
        self._bench = bench
        self._pid = gateway_pid
        self._gateway = procfs.tree_cpu(gateway_pid)
        self._ours = self._harness_cpu()
        self._machine = procfs.machine_busy_seconds()
        self._start = time.monotonic()

    def read(self) -> Spell:
        seconds = time.monotonic() - self._start
        machine = procfs.machine_busy_seconds() - self._machine
        ours = self._harness_cpu() - self._ours
        gateway = procfs.tree_cpu(self._pid) - self._gateway
        return Spell(gateway, max(0.0, machine - ours - gateway.total), seconds)

    def _harness_cpu(self) -> float:
        """CPU time of the upstream, of the load programs that have ended, and of this program."""
        usages = [
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        return procfs.tree_cpu(self._bench.upstream.pid).total + sum(
            usage.ru_utime + usage.ru_stime for usage in usages
        )


def measure(gateway: Gateway, bench: Bench) -> Round:
    """Runs a gateway through one round."""
    quiet = procfs.wait_until_quiet(bench.quiet_wait)
    if gateway.records is not None:
        gateway.records.unlink(missing_ok=True)
    with running(gateway.command, gateway.port, gateway.output, {bench.gateway_cpu}) as process:
        check(gateway, bench.load)
        figures = _put_under_load(gateway, bench, process.pid)
        if process.poll() is not None:
            raise BenchError(f"ended under load with status {process.returncode}")
        counted = _read_counter(gateway) if gateway.records_metric else None
    lines = _count_lines(gateway.records) if gateway.records else None
    return _summarise(figures, quiet, lines if counted is None else counted)


def check(gateway: Gateway, load: Load) -> None:
    """Makes sure that a gateway forwards, and refuses those without a valid key."""
    status, body = _ask(gateway.port, load.path, gateway.key_header)
    if status != 200 or len(body) != load.answer_bytes:
        raise BenchError(f"answered {status} with {len(body)} bytes")
    if gateway.key_header is not None:
        name = gateway.key_header.partition(":")[0]
        for header in (None, f"{name}: unknown"):
            status, _ = _ask(gateway.port, load.path, header)
            if status not in REFUSALS:
                raise BenchError(f"answered {status} to a request with {header or 'no key'}")


@dataclass(frozen=True)
class _Figures:
    warm_up: Saturation
    saturation: Saturation
    saturation_spell: Spell
    rss_mib: float
    paced: Paced
    paced_spell: Spell


def _put_under_load(gateway: Gateway, bench: Bench, pid: int) -> _Figures:
    load = bench.load
    target = Target(gateway.port, load.path, gateway.key_header)
    time.sleep(SETTLE_SECONDS)
    warm_up = saturate(target, load.connections, WARM_UP_SECONDS)
    meter = Meter(bench, pid)
    saturation = saturate(target, load.connections, load.seconds)
    saturation_spell = meter.read()
    rss_mib = procfs.tree_rss_mib(pid)
    time.sleep(SETTLE_SECONDS)
    meter = Meter(bench, pid)
    paced = pace(target, bench.binaries, load.rate, load.seconds)
    return _Figures(warm_up, saturation, saturation_spell, rss_mib, paced, meter.read())


def _summarise(figures: _Figures, quiet: bool, lines: int | None) -> Round:
    saturation, paced = figures.saturation, figures.paced
    if saturation.requests == 0 or paced.answered == 0:
        raise BenchError("answered no request under load")
    spells = (figures.saturation_spell, figures.paced_spell)
    foreign_cores = sum(spell.foreign for spell in spells) / sum(spell.seconds for spell in spells)
    spent = figures.saturation_spell.gateway
    per_100k = 100_000 / saturation.requests
    all_requests = figures.warm_up.requests + saturation.requests + paced.answered
    return Round(
        cpu=spent.total * per_100k,
        cpu_user=spent.user * per_100k,
        cpu_system=spent.system * per_100k,
        core_share=spent.total / figures.saturation_spell.seconds,
        per_second=saturation.per_second,
        rss_mib=figures.rss_mib,
        paced_cpu=figures.paced_spell.gateway.total * 100_000 / paced.answered,
        paced_per_second=paced.per_second,
        p50_us=paced.p50_us,
        p99_us=paced.p99_us,
        p999_us=paced.p999_us,
        max_us=paced.max_us,
        errors=saturation.errors + paced.failed + paced.unanswered,
        records_share=None if lines is None else lines / all_requests,
        foreign_cores=foreign_cores,
        noisy=not quiet or foreign_cores > NOISE_CORES,
    )


def _ask(port: int, path: str, header: str | None) -> tuple[int, bytes]:
    """Sends one request and returns the status and the body of the answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    name, _, value = (header or "").partition(":")
    try:
        connection.request("GET", path, headers={name: value.strip()} if name else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"did not answer: {error}") from error
    finally:
        connection.close()


def _read_counter(gateway: Gateway) -> int:
    """Reads what a gateway says it has written, once the last records have had time to get there."""
    time.sleep(SETTLE_SECONDS)
    status, text = _ask(gateway.port, "/metrics", None)
    pattern = rf"^{re.escape(gateway.records_metric or '')}(?:{{[^}}]*}})? (\d+)"
    found = re.findall(pattern, text.decode(errors="replace"), re.MULTILINE)
    if status != 200 or not found:
        raise BenchError(f"/metrics does not tell {gateway.records_metric}")
    return sum(int(value) for value in found)


def _count_lines(path: Path) -> int:
    if not path.exists():
        return 0
    lines = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
    return lines
