"""Providers of flagd, as they are published, ask a node: over gRPC, with its definitions, and from pages over Connect."""

import json
import signal
import subprocess
import tempfile
import venv
from pathlib import Path

from control_plane import ControlPlane, control_plane
from ofrep import CASES, FLAGS, UNITS
from site_under_test import BUILD_SECONDS, HOST, ROOT, SuiteError, command, tools

PACKAGES = ["openfeature-sdk==0.10.0", "openfeature-provider-flagd==0.6.1"]
MODULES = [
    "@openfeature/server-sdk@1.23.0",
    "@openfeature/flagd-provider@0.16.1",
    "@openfeature/web-sdk@1.10.0",
    "@openfeature/flagd-web-provider@0.7.4",
]
RESOLVERS = ["rpc", "in-process"]
KEY_FILE = "GATELINE_GATEWAY_FLAGD_KEY_FILE"


def fetch() -> Path:
    """A place with the packages of PyPI and npm, made once; the first are known to this program then."""
    place = tools() / "flagd"
    if not (place / ".complete").exists():
        venv.create(place, with_pip=True, clear=True)
        command([str(place / "bin" / "pip"), "install", "--quiet", *PACKAGES])
        command(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(place), *MODULES])
        (place / ".complete").touch()
    return place


def scripted(place: Path, language: str, asked: dict) -> dict:
    """What a script prints that asks with the provider of its language."""
    name = {"python": "ask.py", "node": "server.mjs", "web": "web.mjs"}[language]
    # Packages are looked for beside the script.
    script = place / name
    script.write_text((ROOT / "tests" / "suites" / "flagd" / name).read_text())
    program = str(place / "bin" / "python") if language == "python" else "node"
    ended = subprocess.run(
        [program, str(script)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if ended.returncode != 0:
        raise SuiteError(f"{name}: {ended.stderr.strip()[-2000:]}")
    return json.loads(ended.stdout.splitlines()[-1])


def is_as_wanted(found: list, wanted: tuple, resolver: str) -> bool:
    """Providers that evaluate by themselves call everything that targeting gives a match of it."""
    value, variant, reason, error = wanted
    if error is not None:
        return (found[0], found[3]) == (value, error)
    if resolver == "web":
        # It was told beforehand, and takes from its cache.
        return found[:2] == [value, variant] and found[3] is None
    reasons = {reason} if resolver == "rpc" else {reason, "TARGETING_MATCH", "DEFAULT", "STATIC"}
    return found[:2] == [value, variant] and found[2] in reasons and found[3] is None


def run() -> tuple[int, list[str]]:
    """Asks with each provider and compares what it says."""
    place = fetch()
    passed, missed = 0, []

    def check(name: str, is_so: bool, found: object = None) -> None:
        nonlocal passed
        if is_so:
            passed += 1
        else:
            missed.append(f"{name}: {found!r}")

    with tempfile.TemporaryDirectory(prefix="gateline-flagd-") as name:
        folder = Path(name)
        key_file = folder / "key"
        key_file.write_text("none yet")
        words = ("--environment", "production", "--flagd", f"{HOST}:0")
        with control_plane(folder, *words, variables={KEY_FILE: str(key_file)}) as plane:
            file = folder / "flags.yaml"
            file.write_text(json.dumps(FLAGS))
            plane.command("flags", "apply", str(file))
            plane.command("flags", "create", "other", "--environment", "production", "--on", "0%")
            key, page = (plane.key(kind)["key"] for kind in ("server", "client"))
            port = int(plane.ready["flagd"].rpartition(":")[2])
            asked = {
                "host": HOST,
                "port": port,
                "units": UNITS,
                "cases": [
                    {"kind": kind, "key": key, "default": default, "context": context}
                    for kind, key, default, context, _ in CASES
                ],
            }
            half = {
                unit for unit in UNITS if plane.evaluate(key, {"user_id": unit}, ["half"])["half"]["value"]
            }
            def take(text: str) -> None:
                key_file.write_text(text)
                plane.process.send_signal(signal.SIGHUP)

            def compare(name: str, told: dict, resolver: str) -> None:
                # It hashes otherwise than flagd did before, so it is not given splits rather than other ones.
                has_splits = name != "python in-process"
                for (kind, flag, default, _, wanted), found in zip(CASES, told["details"], strict=True):
                    if flag == "half" and not has_splits:
                        wanted = (default, None, "ERROR", "FLAG_NOT_FOUND")
                    right = is_as_wanted(found, wanted, resolver)
                    check(f"{name}: {kind} {flag}", right, (found, wanted))
                check(f"{name}: the half", set(told["half"]) == (half if has_splits else set()), told["half"])

            for language in ("python", "node"):
                if language == "node":
                    # Its stream of events comes without the selector: the place needs a key of its own.
                    take(key)
                for resolver in RESOLVERS:
                    name = f"{language} {resolver}"
                    about = {**asked, "resolver": resolver, "selector": key}
                    compare(name, scripted(place, language, about), resolver)
                    check(f"{name}: a change", changed(place, plane, (language, about)))
                told = scripted(place, language, {**asked, "resolver": "in-process", "selector": "gl_none", "cases": []})
                check(f"{language}: a wrong key", not told["ready"], told)
            take(page)
            compare("web", scripted(place, "web", asked), "web")
    return passed, missed


def changed(place: Path, plane: ControlPlane, about: tuple[str, dict]) -> bool:
    """Whether a provider that is connected hears of a change and gives the new value."""
    language, asked = about
    name = {"python": "ask.py", "node": "server.mjs"}[language]
    program = str(place / "bin" / "python") if language == "python" else "node"
    words = ("flags", "set", "other", "--environment", "production")
    plane.command(*words, "--off")
    process = subprocess.Popen(
        [program, str(place / name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin and process.stdout
    with process:
        process.stdin.write(json.dumps({**asked, "wait_for": "other"}))
        process.stdin.close()
        try:
            before = json.loads(process.stdout.readline())
            plane.command(*words, "--on", "100%")
            after = json.loads(process.stdout.readline())
            return (before, after) == ({"before": False}, {"after": True})
        finally:
            process.terminate()
