"""Programs of ours that are measured: built as they are released, started with an empty data directory."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benches" / "gateway"))

import procfs  # noqa: E402


def built(*packages: str) -> Path:
    """Builds the programs as they are released; answers the folder that they are in."""
    words = [word for package in packages for word in ("-p", package)]
    subprocess.run(["cargo", "build", "--release", *words], cwd=ROOT, check=True)
    found = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True, capture_output=True
    )
    return Path(json.loads(found.stdout)["target_directory"]) / "release"


def give_way() -> None:
    """Lets a process run only when nobody else wants to: sched(7), `SCHED_IDLE`."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


class Gateline:
    """A control plane with a gateway node, and the command line.

    What only stands beside what is measured `gives_way`: it runs when nobody else wants to, as if it were on a machine of its own.
    """

    def __init__(self, programs: Path, folder: Path, *, gives_way: bool = False, **settings: str) -> None:
        self.programs = programs
        ready = folder / "ready.json"
        addresses = ["--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        self.data = folder / "data"
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [programs / "gateline", "up", "--no-demo", "--data-dir", self.data, *addresses, "--ready-file", ready],
            stdout=subprocess.DEVNULL,
            stderr=self.log,
            cwd=folder,
            env={**os.environ, **settings},
            preexec_fn=give_way if gives_way else None,
        )
        end = time.monotonic() + 60
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit("gateline does not start: " + (folder / "log").read_text())
            time.sleep(0.05)
        said = json.loads(ready.read_text())
        self.control = said["control"]
        self.environment = {
            **os.environ,
            "GATELINE_URL": self.control,
            "GATELINE_TOKEN": said["admin"]["token"],
            "GATELINE_CONFIG_DIR": str(folder / "config"),
        }

    def command(self, *words: str) -> dict:
        """Runs a command; answers what it prints as JSON."""
        line = [self.programs / "gateline", *words, "--output", "json"]
        ended = subprocess.run(line, env=self.environment, check=True, capture_output=True, text=True)
        return json.loads(ended.stdout.splitlines()[-1] if words[0] == "sql" else ended.stdout)

    def cpu(self) -> float:
        """Processor seconds until now."""
        return procfs.tree_cpu(self.process.pid).total

    def stop(self) -> None:
        """Ends it, in order."""
        self.process.terminate()
        self.process.wait(60)
        self.log.close()
