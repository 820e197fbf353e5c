"""Flags as other products write them: their own suites, fetched as they are published, through our engine and the SDKs'."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from site_under_test import BUILD_SECONDS, ROOT, SuiteError, command, tools

SDK = ROOT / "sdk"
UNLEASH = "@unleash/client-specification@6.1.0"
# Only their archives are wanted; nothing of them is built.
CRATES = {"open-feature-flagd": "0.3.0", "datalogic-rs": "5.4.0", "growthbook-rust": "0.4.0"}


def run() -> tuple[int, list[str]]:
    """All cases of all suites; how many passed, and which did not."""
    crates = archives()
    logic = str(crates["datalogic-rs"] / "tests" / "suites")
    program = str(built())
    suites = [
        ("unleash", [program, "unleash", str(package(UNLEASH) / "specifications")]),
        ("flagd", [program, "flagd", str(crates["open-feature-flagd"])]),
        ("jsonlogic", [program, "jsonlogic", logic]),
        ("jsonlogic, JavaScript", ["node", str(built_javascript()), logic]),
        ("jsonlogic, Python", [sys.executable, str(SDK / "python" / "tests" / "jsonlogic.py"), logic]),
        ("growthbook", [program, "growthbook", str(crates["growthbook-rust"] / "tests" / "cases")]),
    ]
    environment = {**os.environ, "PYTHONPATH": str(SDK / "python" / "src")}
    passed, missed = 0, []
    for name, program_and_path in suites:
        done = subprocess.run(
            program_and_path, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS, env=environment
        )
        lines = done.stdout.splitlines()
        score = lines[-1].split() if lines else []
        if len(score) != 4 or score[1::2] != ["passed,", "failed"]:
            raise SuiteError(f"{name}: {done.stderr.strip()[-2000:]}")
        passed += int(score[0])
        missed += [f"{name}: {line.removeprefix('failed: ')}" for line in lines if line.startswith("failed: ")]
        for line in lines[:-1]:
            if line.startswith("left out: "):
                print(f"  {name}: {line}")
    return passed, missed


def built() -> Path:
    """The program that asks our engine."""
    command(["cargo", "build", "-q", "-p", "dialects", "--example", "suite"], cwd=ROOT)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "debug" / "examples" / "suite"


def built_javascript() -> Path:
    """The program that asks the engine of the SDK for JavaScript."""
    command(["make", "--silent", "sdk/javascript/node_modules/.installed"], cwd=ROOT)
    command(["npx", "tsc", "-p", "tsconfig.test.json"], cwd=SDK / "javascript")
    return SDK / "javascript" / "build" / "test" / "jsonlogic.js"


def package(name: str) -> Path:
    """The folder of a package of npm, fetched once."""
    place = tools() / "dialects" / name.replace("/", "-")
    if not (place / "package").exists():
        place.mkdir(parents=True, exist_ok=True)
        archive = command(["npm", "pack", "--silent", "--pack-destination", str(place), name]).split()[-1]
        with tarfile.open(place / archive) as tar:
            tar.extractall(place, filter="data")
    return place / "package"


def archives() -> dict[str, Path]:
    """The folders of crates, as cargo has fetched them for a program that names them."""
    place = tools() / "dialects" / "crates"
    (place / "src").mkdir(parents=True, exist_ok=True)
    (place / "src" / "lib.rs").write_text("")
    needs = [f'{name} = {{ version = "={version}", default-features = false }}' for name, version in CRATES.items()]
    head = '[package]\nname = "suites"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n\n[dependencies]\n'
    (place / "Cargo.toml").write_text(head + "\n".join(needs) + "\n")
    known = json.loads(command(["cargo", "metadata", "--format-version", "1"], cwd=place))
    folders = {one["name"]: Path(one["manifest_path"]).parent for one in known["packages"]}
    return {name: folders[name] for name in CRATES}
