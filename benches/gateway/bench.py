#!/usr/bin/env python3
"""Measures HTTP gateways side by side on one machine.

README.md says what is measured, how, and what the figures do not tell.
"""

import datetime
import json
import os
import platform
import re
import resource
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import drive
import gateways
import procfs
import report
from gateways import BenchError, Gateway, Site
from measure import Bench, Load, measure
from report import Case, Direct, Result
from settings import Settings, parse_arguments

FIRST_PEER_PORT = 18081
DIRECT_SECONDS = 3
MANY_FILES = 65_536


def main() -> int:
    settings = parse_arguments()
    prepare_process()
    try:
        cases, setup = run(settings)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for case in cases:
        print(f"\n{describe(settings.scenario, case.load)}\n\n{report.table(case)}")
    if settings.json:
        text = json.dumps(report.document(cases, setup), indent=2, ensure_ascii=False)
        settings.json.write_text(text + "\n")
    is_sound = all(result.is_sound for case in cases for result in case.results)
    return 0 if is_sound else 1


def run(settings: Settings) -> tuple[list[Case], dict[str, Any]]:
    """Prepares everything, measures every load, and cleans up."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name, on_all_cores_afterwards():
        directory = Path(name)
        directory.chmod(0o755)  # nginx workers run as another user when started by root
        binaries = drive.build("gateway-bench-load")
        os.sched_setaffinity(0, settings.load_cpus)
        site = Site(
            directory=directory,
            scenario=settings.scenario,
            upstream_port=settings.upstream_port,
            binaries=binaries,
            envoy=settings.envoy,
        )
        gateways.write_key_files(directory)
        contestants = configure(settings, site)
        setup = describe_setup(settings, contestants)
        programs = ", ".join(f"{name} {version}" for name, version in setup["programs"].items())
        print(f"{setup['machine']}\n{programs}\n{setup['cores']}")
        return [run_case(load, settings, site, contestants) for load in settings.loads], setup


@contextmanager
def on_all_cores_afterwards() -> Iterator[None]:
    """Gives this process its cores back, so that another scenario can follow."""
    cores = os.sched_getaffinity(0)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def configure(settings: Settings, site: Site) -> list[Gateway]:
    contestants = [
        gateways.peer(name, port, site)
        for port, name in enumerate(settings.peers, start=FIRST_PEER_PORT)
    ]
    if settings.subject:
        contestants.append(gateways.subject(settings.subject, site))
    return contestants


def run_case(load: Load, settings: Settings, site: Site, contestants: list[Gateway]) -> Case:
    """Measures all gateways under one load, taking turns so that drift hits them alike."""
    print(f"\n{describe(settings.scenario, load)}", flush=True)
    upstream = [str(site.binaries / "upstream"), "--size", str(load.answer_bytes)]
    upstream += ["--port", str(settings.upstream_port)]
    output = site.directory / "upstream.output"
    with drive.running(upstream, settings.upstream_port, output) as process:
        bench = Bench(
            load=load,
            binaries=site.binaries,
            upstream=process,
            gateway_cpu=settings.gateway_cpu,
            quiet_wait=settings.quiet_wait,
        )
        procfs.wait_until_quiet(settings.quiet_wait)
        direct = measure_direct(load, settings.upstream_port, site.binaries)
        results = [Result(gateway, [], []) for gateway in contestants]
        for number in range(settings.rounds):
            for result in rotated(results, number):
                add_round(result, bench, number + 1)
    return Case(load, direct, results)


def measure_direct(load: Load, port: int, binaries: Path) -> Direct:
    """Loads the upstream without a gateway, to know what the load itself can do."""
    target = drive.Target(port, load.path)
    return Direct(
        saturation=drive.saturate(target, load.connections, DIRECT_SECONDS),
        paced=drive.pace(target, binaries, load.rate, DIRECT_SECONDS),
    )


def add_round(result: Result, bench: Bench, number: int) -> None:
    """Measures a gateway once more; a failure is noted and the others go on."""
    name = result.gateway.name
    try:
        figures = measure(result.gateway, bench)
    except BenchError as error:
        result.failures.append(f"round {number}: {error}")
        print(f"round {number}  {name:<12} failed: {error}", flush=True)
        return
    result.rounds.append(figures)
    print(report.round_line(name, number, figures), flush=True)


def rotated(results: list[Result], by: int) -> list[Result]:
    """Starts each round with another gateway, so that none always follows the same one."""
    start = by % len(results)
    return results[start:] + results[:start]


def describe(scenario: str, load: Load) -> str:
    return (
        f"{scenario}, {load.answer_bytes} B answers, {load.connections} connections at saturation, "
        f"{load.rate}/s paced"
    )


def describe_setup(settings: Settings, contestants: list[Gateway]) -> dict[str, Any]:
    versions = {gateway.name: gateway.version for gateway in contestants if gateway.version}
    load_cpus = ",".join(str(cpu) for cpu in sorted(settings.load_cpus))
    return {
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine(),
        "programs": versions | load_versions(),
        "cores": f"gateway on {settings.gateway_cpu}, load and upstream on {load_cpus}",
        "scenario": settings.scenario,
        "rounds": settings.rounds,
    }


def describe_machine() -> str:
    cpu_info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.+)", cpu_info)
    cpu = model.group(1) if model else platform.machine()
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return f"{os.cpu_count()} × {cpu}, {system}, Linux {platform.release()}"


def load_versions() -> dict[str, str]:
    """The versions of the load program and of the libraries in the reference proxy."""
    wrk = subprocess.run([drive.wrk_program(), "-v"], capture_output=True, text=True, check=False)
    found = re.search(r"wrk (?:debian/)?([\w.]+)", wrk.stdout + wrk.stderr)
    lock = tomllib.loads((drive.ROOT / "Cargo.lock").read_text())
    crates = {package["name"]: package["version"] for package in lock["package"]}
    return {"wrk": found.group(1) if found else "unknown"} | {
        name: crates[name] for name in ("hyper", "tokio")
    }


def prepare_process() -> None:
    """Lets signals end what we started, and the gateways open many files."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit_on_signal)
    allow_many_files()


def allow_many_files() -> None:
    """Raises the limit of open files, as far as allowed; the gateways inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MANY_FILES if hard == resource.RLIM_INFINITY else min(MANY_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    """Leaves through the context managers, which end the programs we started."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
