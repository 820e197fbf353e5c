"""A control plane, its command line and its API."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from site_under_test import HOST, ROOT, START_SECONDS, STOP_SECONDS, SuiteError, command

# What is made of it: programs that are there already.
PROGRAMS = "GATELINE_PROGRAMS"


def built() -> Path:
    """The program `gateline`: that of the named folder, or built now."""
    if PROGRAMS in os.environ:
        return Path(os.environ[PROGRAMS]) / "gateline"
    command(["cargo", "build", "--quiet", "-p", "gateline"], cwd=ROOT)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "gateline"


class ControlPlane:
    """One that runs; `url` is its address."""

    def __init__(self, program: Path, folder: Path, said: dict) -> None:
        self.url = said["control"]
        self._program = str(program)
        self._token = said["admin"]["token"]
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != PROGRAMS},
            "GATELINE_URL": self.url,
            "GATELINE_TOKEN": self._token,
            "GATELINE_CONFIG_DIR": str(folder / "config"),
        }

    def command(self, *words: str) -> dict:
        """Runs a command; answers what it prints as JSON."""
        printed = command([self._program, *words, "--output", "json"], env=self._environment)
        return json.loads(printed)

    def key(self, kind: str, *words: str) -> dict:
        """A new key that asks for flags in production."""
        return self.command("keys", "create", "--evaluation", kind, "--environment", "production", *words)

    def read(self, path: str) -> dict:
        """What the API answers to its administrator."""
        return self._ask(path, {"authorization": f"Bearer {self._token}"}, None)

    def evaluate(self, key: str, attributes: dict, flags: list[str]) -> dict[str, dict]:
        """What somebody gets of flags, by their keys."""
        body = json.dumps({"attributes": attributes, "flags": flags}).encode()
        headers = {"x-api-key": key, "content-type": "application/json"}
        answer = self._ask("/api/v1/feature-flags/evaluate", headers, body)
        return {one["key"]: one for one in answer["flags"]}

    def _ask(self, path: str, headers: dict[str, str], body: bytes | None) -> dict:
        asked = urllib.request.Request(self.url + path, data=body, headers=headers)
        with urllib.request.urlopen(asked, timeout=START_SECONDS) as answer:
            return json.loads(answer.read())


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Runs one with an empty data directory until the end of the block."""
    program = built()
    ready = folder / "ready.json"
    addresses = ["--gateway", f"{HOST}:0", "--control", f"{HOST}:0", "--ready-file", str(ready)]
    process = subprocess.Popen(
        [str(program), "up", "--no-demo", "--data-dir", str(folder / "data"), *addresses],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("wb"),
        env={name: value for name, value in os.environ.items() if name != PROGRAMS},
    )
    try:
        end = time.monotonic() + START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > end:
                raise SuiteError(f"gateline does not start: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        yield ControlPlane(program, folder, json.loads(ready.read_text()))
    finally:
        process.terminate()
        process.wait(STOP_SECONDS * 4)
