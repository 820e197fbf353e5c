"""What many routes and keys cost gateline-edge, and what changes of them do."""

import http.client
import os
import re
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import bench
import control
import drive
import edge
import procfs
from gateways import BenchError
from measure import NOISE_CORES, SETTLE_SECONDS, Bench, Load, Meter

UPSTREAM_PORT = 19000
CONNECTIONS = 64
WARM_UP_SECONDS = 2
# Nobody listens there: a node that starts finds no control plane.
NOBODY = "http://127.0.0.1:9"
FIRST_ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Size:
    """How much there is."""

    routes: int
    keys: int

    def __str__(self) -> str:
        plural = ("" if number == 1 else "s" for number in (self.routes, self.keys))
        return "{:,} route{}, {:,} key{}".format(self.routes, next(plural), self.keys, next(plural))


@dataclass(frozen=True)
class Site:
    """What was written for a size."""

    size: Size
    snapshot: Path
    calls: Path
    rest: bytes


@dataclass(frozen=True)
class Cost:
    """A turn under load."""

    cpu: float
    core_share: float
    per_second: float
    idle_mib: float
    rss_mib: float
    p50_us: int
    p99_us: int
    p999_us: int
    errors: int
    noisy: bool


@dataclass(frozen=True)
class Start:
    """One start from the copy on disk, while the control plane is away."""

    first_answer: float
    compile: float


@dataclass(frozen=True)
class Change:
    """A turn at the paced rate, with so many new snapshots or none."""

    per_second: float
    served: int
    compile: float
    delay: float | None
    p50_us: int
    p99_us: int
    p999_us: int
    errors: int
    noisy: bool


@dataclass(frozen=True)
class Settings:
    """What is measured, and how long."""

    small: Size
    large: Size
    # The snapshot that changes, and how often a second.
    changing: Size
    changes: float
    rate: int
    rounds: int
    seconds: int
    quiet_wait: float
    # Where the programs are, if they were built before.
    built: Path | None


@dataclass
class Outcome:
    """Everything that was measured."""

    settings: Settings
    setup: dict[str, Any]
    costs: dict[Size, list[Cost]] = field(default_factory=dict)
    starts: dict[Size, list[Start]] = field(default_factory=dict)
    changes: dict[float, list[Change]] = field(default_factory=dict)


def measure(settings: Settings) -> Outcome:
    program = settings.built / edge.NAME if settings.built else edge.build()
    binaries = settings.built or drive.build("gateway-bench-load")
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise BenchError("gateway and load need a core each")
    os.sched_setaffinity(0, {cpus[0]})
    load = Load("/", 1024, CONNECTIONS, settings.seconds, settings.rate)
    setup = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": bench.describe_machine(),
        "cores": f"gateway on {cpus[-1]}, load and upstream on {cpus[0]}",
        "version": edge.version(program),
        "rounds": settings.rounds,
        "rate": settings.rate,
    }
    outcome = Outcome(settings, setup)
    # On the disk of the project, not in a directory that may be in memory: the log is to be synced.
    with tempfile.TemporaryDirectory(prefix="gateway-scale-", dir=program.parent) as name:
        place = Path(name)
        upstream = [str(binaries / "upstream"), "--size", "1024", "--port", str(UPSTREAM_PORT)]
        with drive.running(upstream, UPSTREAM_PORT, place / "upstream.output") as process:
            common = Bench(load, binaries, process, cpus[-1], settings.quiet_wait)
            sites = [site(place, size) for size in (settings.small, settings.large)]
            for number in range(settings.rounds):
                for one in sites if number % 2 == 0 else reversed(sites):
                    cost = measure_cost(program, one, common)
                    outcome.costs.setdefault(one.size, []).append(cost)
                    print(f"round {number + 1}  {one.size}: {asdict(cost)}", flush=True)
            for one in sites:
                starts = [measure_start(program, one, common) for _ in range(settings.rounds)]
                outcome.starts[one.size] = starts
                print(f"starts  {one.size}: {[asdict(start) for start in starts]}", flush=True)
            one = site(place, settings.changing)
            for number in range(settings.rounds):
                rates = (0.0, settings.changes)
                for rate in rates if number % 2 == 0 else reversed(rates):
                    change = measure_change(program, one, common, rate)
                    outcome.changes.setdefault(rate, []).append(change)
                    print(f"round {number + 1}  {one.size}: {asdict(change)}", flush=True)
    return outcome


def site(place: Path, size: Size) -> Site:
    """Lets the workshop write a snapshot, and calls that reach all of it."""
    directory = place / f"{size.routes}-{size.keys}"
    directory.mkdir()
    snapshot, calls, rest = (directory / name for name in ("snapshot.json", "calls", "rest"))
    drive.xtask(
        *("bench-snapshot", str(snapshot), f"127.0.0.1:{UPSTREAM_PORT}"),
        *("--routes", str(size.routes), "--keys", str(size.keys)),
        *("--calls", str(calls), "--packed", str(rest)),
    )
    return Site(size, snapshot, calls, rest.read_bytes())


def command(program: Path, directory: Path, *words: str) -> list[str]:
    configuration = directory / "gateline.toml"
    configuration.write_text(
        edge.CONFIGURATION.format(port=edge.PORT) + f'[cluster]\ntoken = "{control.TOKEN}"\n'
    )
    return [str(program), "--config", str(configuration), "--data-dir", str(directory), *words]


def measure_cost(program: Path, one: Site, common: Bench) -> Cost:
    """Puts load over all routes and keys on a node."""
    quiet = procfs.wait_until_quiet(common.quiet_wait)
    with tempfile.TemporaryDirectory(dir=one.snapshot.parent) as name:
        words = command(program, Path(name), "--snapshot", str(one.snapshot))
        output = Path(name) / "output"
        with drive.running(words, edge.PORT, output, {common.gateway_cpu}) as process:
            return put_under_load(one, common, process, quiet)


def put_under_load(one: Site, common: Bench, process: "subprocess.Popen[bytes]", quiet: bool) -> Cost:
    load = common.load
    target = drive.Target(edge.PORT, calls=one.calls)
    time.sleep(SETTLE_SECONDS)
    idle_mib = procfs.tree_rss_mib(process.pid)
    warm_up = drive.saturate(target, load.connections, WARM_UP_SECONDS)
    meter = Meter(common, process.pid)
    saturation = drive.saturate(target, load.connections, load.seconds)
    spell = meter.read()
    rss_mib = procfs.tree_rss_mib(process.pid)
    time.sleep(SETTLE_SECONDS)
    meter = Meter(common, process.pid)
    paced = drive.pace(target, common.binaries, load.rate, load.seconds)
    foreign = (spell.foreign + meter.read().foreign) / (2 * load.seconds)
    if process.poll() is not None or saturation.requests == 0:
        raise BenchError(f"{one.size}: no answers, status {process.poll()}")
    return Cost(
        cpu=spell.gateway.total * 100_000 / saturation.requests,
        core_share=spell.gateway.total / spell.seconds,
        per_second=saturation.per_second,
        idle_mib=idle_mib,
        rss_mib=rss_mib,
        p50_us=paced.p50_us,
        p99_us=paced.p99_us,
        p999_us=paced.p999_us,
        errors=warm_up.errors + saturation.errors + paced.failed + paced.unanswered,
        noisy=not quiet or foreign > NOISE_CORES,
    )


def measure_start(program: Path, one: Site, common: Bench) -> Start:
    """Starts a node that has nothing but its copy, and asks until it answers."""
    procfs.wait_until_quiet(common.quiet_wait)
    with tempfile.TemporaryDirectory(dir=one.snapshot.parent) as name:
        directory = Path(name)
        (directory / "gateway").mkdir()
        (directory / "gateway" / "snapshot").write_bytes(control.copy(one.rest, 1))
        words = command(program, directory, "--control", NOBODY)
        host, path, key = one.calls.read_text().partition("\n")[0].split(" ")
        began = time.monotonic()
        with drive.started(words, directory / "output", {common.gateway_cpu}):
            while not is_answered(host, path, key):
                if time.monotonic() - began > FIRST_ANSWER_SECONDS:
                    raise BenchError(f"{one.size}: no answer after {FIRST_ANSWER_SECONDS} s")
            took = time.monotonic() - began
            return Start(took, compile_seconds()[1])


def is_answered(host: str, path: str, key: str) -> bool:
    connection = http.client.HTTPConnection(drive.HOST, edge.PORT, timeout=FIRST_ANSWER_SECONDS)
    try:
        connection.request("GET", path, headers={"host": host, "x-api-key": key})
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def measure_change(program: Path, one: Site, common: Bench, per_second: float) -> Change:
    """Paces requests while new snapshots arrive over the network, or none do."""
    quiet = procfs.wait_until_quiet(common.quiet_wait)
    with tempfile.TemporaryDirectory(dir=one.snapshot.parent) as name, control.Control(one.rest) as plane:
        words = command(program, Path(name), "--control", plane.url)
        with drive.running(words, edge.PORT, Path(name) / "output", {common.gateway_cpu}) as process:
            wait_for_first(one)
            target = drive.Target(edge.PORT, calls=one.calls)
            drive.pace(target, common.binaries, common.load.rate, WARM_UP_SECONDS)
            before, _ = compile_seconds()
            plane.change(per_second)
            meter = Meter(common, process.pid)
            paced = drive.pace(target, common.binaries, common.load.rate, common.load.seconds)
            foreign = meter.read().foreign / common.load.seconds
            plane.change(0)
            served, mean = compile_seconds()
    delays = plane.delays()
    return Change(
        per_second=per_second,
        served=served - before,
        compile=mean,
        delay=statistics.median(delays) if delays else None,
        p50_us=paced.p50_us,
        p99_us=paced.p99_us,
        p999_us=paced.p999_us,
        errors=paced.failed + paced.unanswered,
        noisy=not quiet or foreign > NOISE_CORES,
    )


def wait_for_first(one: Site) -> None:
    host, path, key = one.calls.read_text().partition("\n")[0].split(" ")
    until = time.monotonic() + FIRST_ANSWER_SECONDS
    while not is_answered(host, path, key):
        if time.monotonic() > until:
            raise BenchError(f"{one.size}: no answer after {FIRST_ANSWER_SECONDS} s")
        time.sleep(0.05)


def compile_seconds() -> tuple[int, float]:
    """How many snapshots the node has compiled and swapped in, and the mean time of one."""
    connection = http.client.HTTPConnection(drive.HOST, edge.PORT, timeout=10)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    except OSError as error:
        raise BenchError(f"/metrics: {error}") from error
    finally:
        connection.close()
    found = {
        name: float(value)
        for name, value in re.findall(r"^gateline_snapshot_compile_seconds_(\w+) (\S+)", text, re.MULTILINE)
    }
    if found.keys() != {"sum", "count"}:
        raise BenchError("/metrics does not tell gateline_snapshot_compile_seconds")
    return int(found["count"]), found["sum"] / max(1, found["count"])


def document(outcome: Outcome) -> dict[str, Any]:
    """Everything that was measured, for other programs."""
    return {
        "format": 1,
        **outcome.setup,
        "costs": {str(size): [asdict(one) for one in all_of] for size, all_of in outcome.costs.items()},
        "starts": {str(size): [asdict(one) for one in all_of] for size, all_of in outcome.starts.items()},
        "changing": str(outcome.settings.changing),
        "changes": {str(rate): [asdict(one) for one in all_of] for rate, all_of in outcome.changes.items()},
    }
