"""`gateline-edge` as the subject: its program, its snapshot, its command line."""

import subprocess
from pathlib import Path

import drive
from gateways import KEY_HEADER, BenchError, SubjectOptions

NAME = "gateline-edge"
PORT = 18090
# Each call is one event that was committed to the log with fsync.
RECORDS_METRIC = "gateline_log_events_total"
CONFIGURATION = """\
[gateway]
listen = "127.0.0.1:{port}"
cores = 1
"""


def build() -> Path:
    """Builds the program in release mode."""
    return drive.build(NAME) / NAME


def subject(program: Path, scenario: str, upstream: str, directory: Path) -> SubjectOptions:
    """Writes what a scenario needs into a directory of its own."""
    place = directory / scenario
    place.mkdir()
    snapshot = place / "snapshot.json"
    is_open = ["--open"] if scenario == "plain" else []
    key = drive.xtask("bench-snapshot", str(snapshot), upstream, *is_open).strip()
    configuration = place / "gateline.toml"
    configuration.write_text(CONFIGURATION.format(port=PORT))
    words = [program, "--config", configuration, "--data-dir", place, "--snapshot", snapshot]
    return SubjectOptions(
        name=NAME,
        command=" ".join(f"'{word}'" for word in words),
        port=PORT,
        key_header=f"{KEY_HEADER}: {key}",
        records_metric=RECORDS_METRIC,
        version=version(program),
    )


def version(program: Path) -> str:
    """What the program says of itself."""
    try:
        run = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except OSError as error:
        raise BenchError(f"{program} did not start: {error}") from None
    return run.stdout.strip().rpartition(" ")[2] or "unknown"
