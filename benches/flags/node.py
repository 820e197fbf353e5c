"""A gateway node that answers questions about feature flags, and who asks it."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from program import Gateline  # noqa: E402

START_SECONDS = 60


def pace(programs: Path, question: dict[str, object], rate: int, seconds: int) -> dict:
    """Asks at a rate; answers what the client saw."""
    words = {**question, "rate": rate, "seconds": seconds}
    line = [programs / "pacer", *(word for name, value in words.items() for word in (f"--{name}", str(value)))]
    ended = subprocess.run(line, check=True, capture_output=True, text=True)
    return json.loads(ended.stdout)


class Node:
    """A gateway node in a process of its own, on one core or more; 0 is all."""

    def __init__(self, gateline: Gateline, folder: Path, cores: int = 1) -> None:
        self.programs = gateline.programs
        ready = folder / "edge.json"
        settings = folder / "edge.toml"
        settings.write_text(f'[gateway]\ncores = {cores}\nenvironment = "sandbox"\n')
        token = (gateline.data / "secrets" / "cluster.token").read_text().strip()
        words = ["--config", settings, "--data-dir", folder / "edge", "--listen", "127.0.0.1:0"]
        self.log = (folder / "edge.log").open("wb")
        self.process = subprocess.Popen(
            [self.programs / "gateline-edge", *words, "--control", gateline.control, "--ready-file", ready],
            stdout=subprocess.DEVNULL,
            stderr=self.log,
            cwd=folder,
            env={**os.environ, "GATELINE_CLUSTER_TOKEN": token},
        )
        end = time.monotonic() + START_SECONDS
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit("gateline-edge does not start: " + (folder / "edge.log").read_text())
            time.sleep(0.05)
        self.port = json.loads(ready.read_text())["gateway"].rsplit(":", 1)[1]

    def get(self, path: str, key: str) -> bytes:
        """What is answered; an error if it is none."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"x-api-key": key})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.read()

    def wait_for(self, key: str) -> None:
        """Waits until the node knows flags and key."""
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.get("/api/v1/feature-flags/flag-7/evaluate", key)
                return
            except urllib.error.HTTPError as error:
                if time.monotonic() > end:
                    raise SystemExit(f"the node does not answer: {error}") from error
                time.sleep(0.1)

    def stop(self) -> None:
        """Ends it, in order."""
        self.process.terminate()
        self.process.wait(60)
        self.log.close()
