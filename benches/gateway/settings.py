"""The command line."""

import argparse
import os
import re
from dataclasses import dataclass
from pathlib import Path

from gateways import PEERS, SubjectOptions
from measure import Load

SCENARIOS = ("plain", "policy")


@dataclass(frozen=True)
class Settings:
    """The command line, checked."""

    scenario: str
    peers: list[str]
    subject: SubjectOptions | None
    loads: list[Load]
    rounds: int
    gateway_cpu: int
    load_cpus: set[int]
    upstream_port: int
    envoy: str | None
    json: Path | None
    quiet_wait: float


def parse_arguments(words: list[str] | None = None) -> Settings:
    parser = argument_parser()
    options = parser.parse_args(words)
    cpus = sorted(os.sched_getaffinity(0))
    gateway_cpu = cpus[-1] if options.gateway_cpu is None else options.gateway_cpu
    others = [cpu for cpu in cpus if cpu != gateway_cpu]
    load_cpus = options.load_cpus or set(others[:1])
    if not load_cpus or gateway_cpu in load_cpus or not {gateway_cpu, *load_cpus} <= set(cpus):
        parser.error(f"gateway and load need different cores out of {cpus}")
    subject = parse_subject(options, parser)
    names = options.peers + ([subject.name] if subject else [])
    if not names or len(set(names)) < len(names):
        parser.error("name at least one gateway, and none twice")
    return Settings(
        scenario=options.scenario,
        peers=options.peers,
        subject=subject,
        loads=[
            Load(options.path, size, connections, options.seconds, options.rate)
            for size in options.sizes
            for connections in options.connections
        ],
        rounds=options.rounds,
        gateway_cpu=gateway_cpu,
        load_cpus=load_cpus,
        upstream_port=options.upstream_port,
        envoy=options.envoy,
        json=options.json,
        quiet_wait=options.quiet_wait,
    )


def parse_subject(
    options: argparse.Namespace, parser: argparse.ArgumentParser
) -> SubjectOptions | None:
    if options.subject_cmd is None:
        return None
    if options.subject_port is None:
        parser.error("--subject-cmd needs --subject-port")
    if not re.fullmatch(r"[\w.+-]+", options.subject_name):
        parser.error("--subject-name is also used for files: letters, digits and . + - _ only")
    return SubjectOptions(
        name=options.subject_name,
        command=options.subject_cmd,
        port=options.subject_port,
        key_header=options.subject_key_header,
        records_metric=options.subject_records_metric,
        version=options.subject_version,
    )


def argument_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measures HTTP gateways side by side on one machine; see README.md.",
    )
    add = parser.add_argument
    add("--scenario", choices=SCENARIOS, default="plain", help="what the gateways have to do")
    add(
        "--peers",
        type=peer_list,
        default="nginx,haproxy,envoy",
        help=f"out of {', '.join(PEERS)} (%(default)s)",
    )
    add("--rounds", type=positive, default=3, help="turns of every gateway (%(default)s)")
    add("--seconds", type=positive, default=6, help="length of either load (%(default)s)")
    add("--rate", type=positive, default=8000, help="paced requests per second (%(default)s)")
    add("--path", default="/v1/x", help="what is requested (%(default)s)")
    add("--sizes", type=positive_list, default="1024", help="answer bytes, a table for each")
    add("--connections", type=positive_list, default="64", help="at saturation, a table for each")
    add("--quiet-wait", type=float, default=60, help="seconds to wait for quiet before a turn")
    add("--upstream-port", type=positive, default=19000, help="of the upstream (%(default)s)")
    add("--gateway-cpu", type=int, help="core of the gateway (the last)")
    add("--load-cpus", type=cpu_set, help="cores of load and upstream (the first)")
    add("--envoy", help="the Envoy binary, if it is not found by itself")
    add("--json", type=Path, help="file for all figures")
    subject = parser.add_argument_group(
        "subject",
        "A further gateway. Its command is split like a shell would, but runs without one, in the "
        "foreground; {port} {upstream} {dir} {keys} {records} {bin} are filled in, see README.md.",
    )
    subject.add_argument("--subject-cmd", help="command that starts it")
    subject.add_argument("--subject-port", type=positive, help="port that it listens on")
    subject.add_argument("--subject-name", default="subject", help="name in the table")
    subject.add_argument("--subject-key-header", help="header with a valid key, for policy")
    subject.add_argument(
        "--subject-records-metric",
        help="name of the counter of written records that it shows under /metrics",
    )
    subject.add_argument("--subject-version", default="", help="version in the table")
    return parser


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def positive_list(text: str) -> list[int]:
    return [positive(word) for word in text.split(",")]


def cpu_set(text: str) -> set[int]:
    return {int(word) for word in text.split(",")}


def peer_list(text: str) -> list[str]:
    names = [word for word in text.split(",") if word]
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"unknown peer {name!r}")
    return names
