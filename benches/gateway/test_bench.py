"""Checks of the harness itself, without any gateway: python3 -m unittest."""

import dataclasses
import io
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import AbstractContextManager, redirect_stderr
from pathlib import Path
from unittest import mock

import drive
import gateways
import page
import procfs
import report
import scale_page
import scaling
import settings
from gateways import Gateway, Site
from measure import Load, Round

ROUND = Round(
    cpu=1.0,
    cpu_user=0.3,
    cpu_system=0.7,
    core_share=0.99,
    per_second=80_000.0,
    rss_mib=12.0,
    paced_cpu=2.0,
    paced_per_second=8000.0,
    p50_us=200,
    p99_us=400,
    p999_us=900,
    max_us=2000,
    errors=0,
    records_share=1.0,
    foreign_cores=0.01,
    noisy=False,
)
PACED = drive.Paced(
    answered=48_000,
    failed=0,
    unanswered=0,
    reconnects=0,
    per_second=8000.0,
    p50_us=40,
    p90_us=60,
    p99_us=90,
    p999_us=200,
    max_us=900,
)
DIRECT = report.Direct(drive.Saturation(480_000, 150_000.0, 0), PACED)
LOAD = Load(path="/", answer_bytes=1024, connections=64, seconds=6, rate=8000)
WRK_SUMMARY = """Running 6s test @ http://127.0.0.1:18081/v1/x
  1 threads and 64 connections
  481612 requests in 6.01s, 540.22MB read
Requests/sec:  80135.11
Transfer/sec:     89.89MB
"""

# A server with a child that burns CPU time and does not care about being asked to stop.
BUSY_CHILD = """
import os, signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN if os.fork() == 0 else signal.SIG_DFL)
if signal.getsignal(signal.SIGTERM) == signal.SIG_IGN:
    while True: pass
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True: server.accept()
"""


def result(name: str, *rounds: Round) -> report.Result:
    gateway = Gateway(name, [name], 18081, None, Path("output"), None, "1")
    return report.Result(gateway, list(rounds), [])


class Reports(unittest.TestCase):
    def test_noisy_rounds_do_not_count(self) -> None:
        noisy = dataclasses.replace(ROUND, cpu=9.0, noisy=True)
        self.assertEqual(result("nginx", ROUND, noisy, noisy).median("cpu"), 1.0)

    def test_noisy_rounds_count_and_are_marked_if_there_is_no_other(self) -> None:
        noisy = dataclasses.replace(ROUND, cpu=9.0, noisy=True)
        case = report.Case(LOAD, DIRECT, [result("nginx", noisy)])
        row = report.table(case).splitlines()[2]
        self.assertIn("9.00", row)
        self.assertIn("noisy", row)

    def test_ratios_refer_to_nginx(self) -> None:
        double = dataclasses.replace(ROUND, cpu=2.0, per_second=40_000.0)
        case = report.Case(LOAD, DIRECT, [result("envoy", double), result("nginx", ROUND)])
        cells = report.table(case).splitlines()[2].split(" | ")
        self.assertEqual((cells[1], cells[2], cells[5]), ("2.00", "2.00", "0.50"))

    def test_lost_records_and_errors_are_remarked(self) -> None:
        bad = dataclasses.replace(ROUND, records_share=0.5, errors=3)
        case = report.Case(LOAD, DIRECT, [result("nginx", bad)])
        row = report.table(case).splitlines()[2]
        self.assertIn("3 errors", row)
        self.assertIn("wrote 50% of the records", row)
        self.assertFalse(case.results[0].is_sound)


class Pages(unittest.TestCase):
    def page(self, edge_cpu: float) -> str:
        edge = dataclasses.replace(ROUND, cpu=edge_cpu)
        results = [result("nginx", ROUND), result("haproxy", ROUND), result("gateline-edge", edge)]
        setup = {"date": "2026-01-01", "rounds": 1, "machine": "m", "cores": "c", "programs": {"nginx": "1"}}
        return page.text([page.Outcome("policy", [report.Case(LOAD, DIRECT, results)], setup)])

    def test_goals_are_judged_by_the_figures(self) -> None:
        self.assertIn("CPU time of nginx, was **reached**: 0.90 ×", self.page(0.9))
        self.assertIn("CPU time of haproxy, was **not reached**: 0.90 ×", self.page(0.9))
        self.assertIn("CPU time of nginx, was **not reached**: 1.40 ×", self.page(1.4))
        self.assertIn("a p99 of at most nginx's, was **reached**", self.page(1.4))
        self.assertNotIn("envoy", self.page(0.9))
        self.assertIn("| gateline-edge | 1.20 |", self.page(1.2))


class Scaled(unittest.TestCase):
    def outcome(self, cpu: float) -> scaling.Outcome:
        small, large = scaling.Size(1, 1), scaling.Size(5_000, 100_000)
        setup = {"date": "2026-01-01", "version": "1", "machine": "m", "cores": "c"}
        all_of = scaling.Settings(small, large, large, 10, 8000, 1, 1, 0, None)
        cost = scaling.Cost(1.0, 0.99, 80_000, 11, 12, 200, 400, 900, 0, noisy=False)
        change = scaling.Change(0, 0, 0.05, None, 200, 400, 900, 0, noisy=False)
        return scaling.Outcome(
            all_of,
            setup,
            costs={small: [cost], large: [dataclasses.replace(cost, cpu=cpu)]},
            starts={small: [scaling.Start(0.03, 0.001)], large: [scaling.Start(0.2, 0.1)]},
            changes={0.0: [change], 10: [dataclasses.replace(change, p999_us=1800, delay=0.1)]},
        )

    def test_goals_are_judged_by_the_figures(self) -> None:
        self.assertIn("1 route, 1 key: **reached**, 1.05 ×", scale_page.text(self.outcome(1.05)))
        self.assertIn("1 route, 1 key: **not reached**, 1.20 ×", scale_page.text(self.outcome(1.2)))
        self.assertIn("**reached**, 0 errors, +0.90 ms", scale_page.text(self.outcome(1)))
        self.assertIn("first answer with 5,000 routes, 100,000 keys: under 100 ms: **not reached**", scale_page.text(self.outcome(1)))

    def test_each_part_of_the_page_leaves_the_other(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / "page.md"
            scale = scale_page.text(self.outcome(1))
            page.replace(file, peers="# Peers\n")
            page.replace(file, scale=scale)
            self.assertEqual(file.read_text(), "# Peers\n" + scale)
            page.replace(file, peers="# Others\n")
            self.assertEqual(file.read_text(), "# Others\n" + scale)
            page.replace(file, scale=scale)
            self.assertEqual(file.read_text(), "# Others\n" + scale)


class Wrk(unittest.TestCase):
    def test_summary(self) -> None:
        self.assertEqual(drive.parse_wrk(WRK_SUMMARY), drive.Saturation(481_612, 80_135.11, 0))

    def test_errors_are_summed(self) -> None:
        errors = "  Socket errors: connect 0, read 1, write 2, timeout 3\n"
        refused = "  Non-2xx or 3xx responses: 10\n"
        self.assertEqual(drive.parse_wrk(WRK_SUMMARY + errors + refused).errors, 16)

    def test_missing_summary_is_an_error(self) -> None:
        with self.assertRaises(gateways.BenchError):
            drive.parse_wrk("unable to connect")


class Configuration(unittest.TestCase):
    def test_every_template_is_filled_in_completely(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            for scenario in settings.SCENARIOS:
                site = Site(Path(name), scenario, 19000, Path("bin"), "envoy")
                with (
                    mock.patch.object(gateways, "_program", lambda program, _: program),
                    mock.patch.object(gateways, "_version", lambda *_: "1"),
                ):
                    for peer in gateways.PEERS:
                        gateways.peer(peer, 18081, site)
            configs = [path for path in Path(name).iterdir() if "-p" in path.name]
            self.assertEqual(len(configs), 6)
            for config in configs:
                body = config.read_text().partition("\n")[2]
                self.assertNotRegex(body, "@[A-Z_]+@", config.name)

    def test_subject_command_is_filled_in(self) -> None:
        site = Site(Path("dir"), "policy", 19000, Path("bin"), None)
        command = (
            "run --port {port} --to {upstream} --keys {keys} '--records={records}' '{\"a\": 1}'"
        )
        subject = gateways.subject(gateways.SubjectOptions("mine", command, 7000, None), site)
        expected = ["--records=dir/mine.records", '{"a": 1}']
        self.assertEqual(subject.command[:5], ["run", "--port", "7000", "--to", "127.0.0.1:19000"])
        self.assertEqual(subject.command[-2:], expected)
        self.assertEqual(subject.records, Path("dir/mine.records"))

    def test_keys_are_distinct(self) -> None:
        self.assertEqual(len(set(gateways.api_keys())), gateways.KEY_COUNT)


class CommandLine(unittest.TestCase):
    def test_every_size_goes_with_every_connection_count(self) -> None:
        words = ["--sizes", "100,200", "--connections", "8,16"]
        with mock.patch("os.sched_getaffinity", lambda _: {0, 1}):
            loads = settings.parse_arguments(words).loads
        self.assertEqual(
            [(load.answer_bytes, load.connections) for load in loads],
            [(100, 8), (100, 16), (200, 8), (200, 16)],
        )

    def test_gateway_and_load_never_share_a_core(self) -> None:
        for cpus, words in [({0}, []), ({0, 1}, ["--gateway-cpu", "0", "--load-cpus", "0"])]:
            with (
                mock.patch("os.sched_getaffinity", lambda _, cpus=cpus: cpus),
                redirect_stderr(io.StringIO()),
                self.assertRaises(SystemExit),
            ):
                settings.parse_arguments(words)


@mock.patch.object(drive, "STOP_SECONDS", 0.3)
class Processes(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.output = Path(directory.name) / "output"
        self.port = free_port()

    def test_tree_holds_children_and_their_cpu_time(self) -> None:
        with self.running(BUSY_CHILD) as process:
            deadline = time.monotonic() + 10
            while procfs.tree_cpu(process.pid).total < 0.2:
                self.assertLess(time.monotonic(), deadline)
            self.assertEqual(len(procfs.process_tree(process.pid)), 2)
            self.assertGreater(procfs.tree_rss_mib(process.pid), 1)

    def test_children_end_with_their_program(self) -> None:
        with self.running(BUSY_CHILD) as process:
            tree = procfs.process_tree(process.pid)
        self.assertEqual(len(tree), 2)
        self.assertFalse(any(procfs.is_running(member) for member in tree))

    def test_early_end_is_reported(self) -> None:
        with self.assertRaisesRegex(gateways.BenchError, "status 3: sorry"):
            self.running("print('sorry'); exit(3)").__enter__()

    def running(self, script: str) -> AbstractContextManager["subprocess.Popen[bytes]"]:
        command = [sys.executable, "-c", script, str(self.port)]
        return drive.running(command, self.port, self.output)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


if __name__ == "__main__":
    unittest.main()
