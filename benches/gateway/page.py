"""The page with the results, docs/benchmarks.md."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import drive
import report
from edge import NAME
from report import Case

PAGE = drive.ROOT / "docs" / "benchmarks.md"
# Where the part of `make bench-scale` begins.
SCALE = "\n## Many routes and keys\n"

# What we want to reach: CPU time per request in relation to others.
GOALS = {"plain": {"nginx": 1.0}, "policy": {"nginx": 1.0, "haproxy": 0.85, "envoy": 0.35}}

HEAD = """\
# Benchmarks

Written by `make bench`; how it is measured, how it is kept fair and what it does not show is explained in
[benches/gateway](../benches/gateway/README.md). Compare CPU-s/100k first: CPU seconds of the whole process tree
for 100,000 requests. Ratios are to nginx, figures are medians over the quiet rounds.

In both scenarios `gateline-edge` does more than the others, and it is not switched off here: **each call becomes
a usage event that is committed to a log on the disk with fsync**, in groups of at most 10 ms. The others write
access records in the policy scenario, to the page cache without fsync, and none in the plain one. It also
finds the operation of the contract that a call belongs to, mints a request id, and keeps the timeouts and size
limits of a product.

- **plain** forwards a `GET`; for `gateline-edge`, through a route that is open to everybody.
- **policy** looks a key up among 10,000, applies a limit to it that is never reached, and keeps a record.
"""


@dataclass(frozen=True)
class Outcome:
    """What one scenario brought."""

    scenario: str
    cases: list[Case]
    setup: dict[str, Any]


def text(outcomes: list[Outcome]) -> str:
    """The page."""
    setup = outcomes[0].setup
    programs = {name: version for outcome in outcomes for name, version in outcome.setup["programs"].items()}
    parts = [
        HEAD,
        "## Where and when\n",
        f"- {setup['date']}, {setup['rounds']} rounds of each gateway, taking turns",
        f"- {setup['machine']}; {setup['cores']}",
        "- " + ", ".join(f"{name} {version}" for name, version in programs.items()),
    ]
    for outcome in outcomes:
        for case in outcome.cases:
            load = case.load
            parts.append(
                f"\n## {outcome.scenario}\n\n{load.answer_bytes} B answers, {load.connections} connections at "
                f"saturation, {load.rate:,}/s paced.\n\n{report.table(case)}"
            )
            parts.extend(f"\n{sentence}" for sentence in verdict(outcome.scenario, case))
    return "\n".join(parts) + "\n"


def replace(page: Path, *, peers: str | None = None, scale: str | None = None) -> None:
    """Writes one part of the page and leaves the other one."""
    old_peers, mark, old_scale = (page.read_text() if page.exists() else "").partition(SCALE)
    page.parent.mkdir(exist_ok=True)
    page.write_text((peers or old_peers) + (scale or mark + old_scale))


def verdict(scenario: str, case: Case) -> list[str]:
    """Says which goals were reached, of those for which both sides were measured."""
    cpu = {result.gateway.name: result.median("cpu") for result in case.results if result.rounds}
    p99 = {result.gateway.name: result.median("p99_us") for result in case.results if result.rounds}
    if NAME not in cpu:
        return []
    sentences = []
    for peer, goal in GOALS.get(scenario, {}).items():
        if peer in cpu:
            ratio = cpu[NAME] / cpu[peer]
            sentences.append(judged(f"at most {goal} × the CPU time of {peer}", ratio <= goal, f"{ratio:.2f} ×"))
    if "nginx" in p99:
        found = f"{p99[NAME]:.0f} µs, nginx {p99['nginx']:.0f} µs"
        sentences.append(judged("a p99 of at most nginx's", p99[NAME] <= p99["nginx"], found))
    if any(r.noisy for result in case.results for r in result.rounds):
        sentences.append(
            "Some rounds were noisy, because other programs used the machine; see the column `rounds`."
        )
    return sentences


def judged(goal: str, is_reached: bool, found: str) -> str:
    """A sentence about a goal."""
    return f"The goal, {goal}, was **{'reached' if is_reached else 'not reached'}**: {found}."
