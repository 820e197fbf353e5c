"""The part of docs/benchmarks.md that `make bench-scale` writes."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from page import SCALE
from scaling import CONNECTIONS, Change, Cost, Outcome, Size, Start

# What we want to reach.
CPU_RATIO_MAX = 1.1
IDLE_MIB_MAX = 20
RSS_MIB_MAX = 80
START_MS_MAX = 100
COMPILE_MS_MAX = 100
SHIFT_US_MAX = 1000


def text(outcome: Outcome) -> str:
    """The part of the page."""
    settings, setup = outcome.settings, outcome.setup
    small, large = settings.small, settings.large
    parts = [
        SCALE,
        "Written by `make bench-scale`. The load asks for all routes with all keys in turn, in an order in which",
        "what belongs together is far apart; one route and one key get the same load from the same program.\n",
        f"- {setup['date']}, gateline-edge {setup['version']}, {settings.rounds} rounds of each, taking turns",
        f"- {setup['machine']}; {setup['cores']}",
        f"- 1024 B answers, {CONNECTIONS} connections at saturation, {settings.rate:,}/s paced\n",
        table(
            ("", "CPU-s/100k", "min–max", "req/s", "p99 µs", "p99.9 µs", "RSS idle MiB", "RSS MiB", "remarks"),
            [cost_row(size, outcome.costs[size]) for size in (small, large)],
        ),
        "",
        "From the start of the process to its first answer, with nothing but the copy of the snapshot on its disk:\n",
        table(
            ("", "first answer ms", "min–max", "of that compiling ms"),
            [start_row(size, outcome.starts[size]) for size in (small, large)],
        ),
        "",
        f"New snapshots from a control plane ({settings.changing}) at {settings.rate:,}/s. Whatever the node does",
        "with them, it does on the core on which it serves here:\n",
        table(
            ("new snapshots/s", "served", "compile and swap ms", "until told ms", "p50 µs", "p99 µs", "p99.9 µs", "remarks"),
            [change_row(rate, outcome.changes[rate]) for rate in (0.0, settings.changes)],
        ),
        "",
        *verdicts(outcome),
    ]
    return "\n".join(parts) + "\n"


def verdicts(outcome: Outcome) -> Iterable[str]:
    settings = outcome.settings
    small, large = settings.small, settings.large
    ratio = median(outcome.costs[large], "cpu") / median(outcome.costs[small], "cpu")
    idle = median(outcome.costs[small], "idle_mib")
    resident = median(outcome.costs[large], "rss_mib")
    start = 1000 * median(outcome.starts[large], "first_answer")
    before, after = (counted(outcome.changes[rate]) for rate in (0.0, settings.changes))
    compile_ms = 1000 * median(after, "compile")
    shift = median(after, "p999_us") - median(before, "p999_us")
    errors = sum(change.errors for change in outcome.changes[settings.changes])
    for goal, is_reached, found in (
        (f"CPU time with {large}: at most {CPU_RATIO_MAX} × that of {small}", ratio <= CPU_RATIO_MAX, f"{ratio:.2f} ×"),
        (f"idle with {small}: at most {IDLE_MIB_MAX} MiB", idle <= IDLE_MIB_MAX, f"{idle:.1f} MiB"),
        (f"memory with {large}: at most {RSS_MIB_MAX} MiB", resident <= RSS_MIB_MAX, f"{resident:.1f} MiB"),
        (f"first answer with {large}: under {START_MS_MAX} ms", start < START_MS_MAX, f"{start:.0f} ms"),
        (
            f"compile and swap with {settings.changing}: under {COMPILE_MS_MAX} ms",
            compile_ms < COMPILE_MS_MAX,
            f"{compile_ms:.0f} ms",
        ),
        (
            f"{settings.changes:g} snapshots/s: no error, and less than {SHIFT_US_MAX / 1000:g} ms more at p99.9",
            errors == 0 and shift < SHIFT_US_MAX,
            f"{errors} errors, {shift / 1000:+.2f} ms",
        ),
    ):
        yield f"- {goal}: **{'reached' if is_reached else 'not reached'}**, {found}"


def cost_row(size: Size, costs: Sequence[Cost]) -> list[str]:
    values = [cost.cpu for cost in counted(costs)]
    return [
        str(size),
        f"{statistics.median(values):.2f}",
        f"{min(values):.2f}–{max(values):.2f}",
        f"{median(costs, 'per_second'):,.0f}",
        *(f"{median(costs, name):.0f}" for name in ("p99_us", "p999_us")),
        *(f"{median(costs, name):.1f}" for name in ("idle_mib", "rss_mib")),
        remarks(costs),
    ]


def start_row(size: Size, starts: Sequence[Start]) -> list[str]:
    values = [1000 * start.first_answer for start in starts]
    compiling = 1000 * median(starts, "compile")
    return [str(size), f"{statistics.median(values):.0f}", f"{min(values):.0f}–{max(values):.0f}", f"{compiling:.0f}"]


def change_row(rate: float, changes: Sequence[Change]) -> list[str]:
    delays = [change.delay for change in changes if change.delay is not None]
    return [
        f"{rate:g}",
        f"{median(changes, 'served'):.0f}",
        f"{1000 * median(changes, 'compile'):.0f}",
        f"{1000 * statistics.median(delays):.0f}" if delays else "",
        *(f"{median(changes, name):.0f}" for name in ("p50_us", "p99_us", "p999_us")),
        remarks(changes),
    ]


def remarks(turns: Sequence[Cost] | Sequence[Change]) -> str:
    said = []
    if errors := sum(turn.errors for turn in turns):
        said.append(f"{errors} errors")
    if noisy := sum(turn.noisy for turn in turns):
        said.append(f"{noisy} of {len(turns)} rounds noisy")
    return "; ".join(said)


def counted(turns: Sequence[Any]) -> Sequence[Any]:
    """The quiet rounds, or all if there was none."""
    return [turn for turn in turns if not getattr(turn, "noisy", False)] or turns


def median(turns: Sequence[Any], name: str) -> float:
    return statistics.median(getattr(turn, name) for turn in counted(turns))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rules = ["---" if head in ("", "remarks") else "---:" for head in heads]
    lines = [heads, rules, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
