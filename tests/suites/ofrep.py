"""Providers of OpenFeature's SDKs, as they are published, ask a control plane for flags over OFREP."""

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from control_plane import control_plane
from site_under_test import BUILD_SECONDS, ROOT, SuiteError, command, tools

PACKAGES = ["openfeature-sdk==0.10.0", "openfeature-provider-ofrep==0.3.0"]
MODULES = [
    "@openfeature/server-sdk@1.23.0",
    "@openfeature/ofrep-provider@0.1.3",
    "@openfeature/web-sdk@1.10.0",
    "@openfeature/ofrep-web-provider@0.4.3",
]
FLAGS = {
    "flags": {
        "on-for-staff": {
            "environments": {
                "production": {
                    "off": "off",
                    "rules": [
                        {
                            "name": "staff",
                            "when": {"attribute": "email", "op": "ends_with", "values": ["@acme.example"]},
                            "serve": "on",
                        }
                    ],
                    "otherwise": {"serve": "off"},
                }
            }
        },
        "half": {
            "environments": {
                "production": {"off": "off", "otherwise": {"split": {"on": 50, "off": 50}, "by": "user_id"}}
            }
        },
        "colour": {
            "type": "string",
            "variants": {"blue": "#00f", "red": "#f00"},
            "environments": {"production": {"off": "blue", "otherwise": {"serve": "red"}}},
        },
        "limit": {
            "type": "number",
            "variants": {"small": 10, "exact": 2.5},
            "environments": {
                "production": {
                    "off": "small",
                    "rules": [
                        {"when": {"attribute": "company.plan", "op": "in", "values": ["gold"]}, "serve": "exact"}
                    ],
                    "otherwise": {"serve": "small"},
                }
            },
        },
        "layout": {
            "type": "json",
            "variants": {"wide": {"columns": 3, "names": ["a", "b"]}},
            "environments": {"production": {"off": "wide", "enabled": False, "otherwise": {"serve": "wide"}}},
        },
        "elsewhere": {"environments": {"sandbox": {"off": "off", "otherwise": {"serve": "on"}}}},
    }
}
# Kind, key, default, context, and what is expected: value, variant, reason, error.
CASES = [
    ("boolean", "on-for-staff", False, {"email": "ann@acme.example"}, (True, "on", "TARGETING_MATCH", None)),
    ("boolean", "on-for-staff", True, {"email": "ann@other.example"}, (False, "off", "DEFAULT", None)),
    ("string", "colour", "none", {}, ("#f00", "red", "STATIC", None)),
    ("integer", "limit", 1, {"company": {"plan": "free"}}, (10, "small", "DEFAULT", None)),
    ("float", "limit", 1.5, {"company": {"plan": "gold"}}, (2.5, "exact", "TARGETING_MATCH", None)),
    ("object", "layout", {}, {}, ({"columns": 3, "names": ["a", "b"]}, "wide", "DISABLED", None)),
    ("boolean", "none", True, {}, (True, None, "ERROR", "FLAG_NOT_FOUND")),
    ("boolean", "elsewhere", False, {}, (False, None, "ERROR", "FLAG_NOT_FOUND")),
    ("boolean", "colour", True, {}, (True, None, "ERROR", "TYPE_MISMATCH")),
    ("boolean", "half", False, {}, (False, "off", "DEFAULT", None)),
]
UNITS = [f"user-{number}" for number in range(40)]


def fetch() -> tuple[Path, Path]:
    """Environments with the packages of PyPI and npm, made once; the first are known to this program then."""
    place = tools() / "ofrep"
    if not (place / ".complete").exists():
        venv.create(place, with_pip=True, clear=True)
        command([str(place / "bin" / "pip"), "install", "--quiet", *PACKAGES])
        command(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(place), *MODULES])
        (place / ".complete").touch()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path.insert(0, str(place / "lib" / version / "site-packages"))
    return place, place / "node_modules"


@contextmanager
def server(folder: Path) -> Iterator[dict[str, str]]:
    """A control plane with the flags; where it is, and its keys."""
    with control_plane(folder) as plane:
        file = folder / "flags.yaml"
        file.write_text(json.dumps(FLAGS))
        plane.command("flags", "apply", str(file))
        keys = {kind: plane.key(kind)["key"] for kind in ("server", "client")}
        yield {"url": plane.url, **keys}


def python(site: dict[str, str]) -> tuple[list, list[str]]:
    """What the Python SDK says of each case, and which units are in the half."""
    from openfeature import api
    from openfeature.contrib.provider.ofrep import OFREPProvider
    from openfeature.evaluation_context import EvaluationContext

    api.set_provider(OFREPProvider(site["url"], headers_factory=lambda: {"X-API-Key": site["server"]}))
    client = api.get_client()

    def ask(kind: str, key: str, default: object, context: dict, unit: str | None = None) -> list:
        about = EvaluationContext(targeting_key=unit, attributes=context)
        got = getattr(client, f"get_{kind}_details")(key, default, about)
        error = got.error_code and got.error_code.value
        return [got.value, got.variant, str(getattr(got.reason, "value", got.reason)), error]

    found = [ask(kind, key, default, context) for kind, key, default, context, _ in CASES]
    half = [unit for unit in UNITS if ask("boolean", "half", False, {}, unit)[0]]
    api.shutdown()
    return found, half


def node(site: dict[str, str], modules: Path, script: str) -> dict:
    """What a script for Node prints."""
    cases = [{"kind": kind, "key": key, "default": default, "context": context} for kind, key, default, context, _ in CASES]
    asked = json.dumps({"site": site, "cases": cases, "units": UNITS})
    # Packages are looked for beside the script.
    place = modules.parent / script
    place.write_text((ROOT / "tests" / "suites" / "ofrep" / script).read_text())
    ended = subprocess.run(
        ["node", str(place)], input=asked, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    if ended.returncode != 0:
        raise SuiteError(f"{script}: {ended.stderr.strip()[-2000:]}")
    return json.loads(ended.stdout.splitlines()[-1])


def run() -> tuple[int, list[str]]:
    """Asks with each SDK and compares what it says."""
    _, modules = fetch()
    passed, missed = 0, []

    def check(name: str, found: object, wanted: object) -> None:
        nonlocal passed
        if found == wanted:
            passed += 1
        else:
            missed.append(f"{name}: {found!r}, not {wanted!r}")

    with tempfile.TemporaryDirectory(prefix="gateline-openfeature-") as folder, server(Path(folder)) as site:
        details, half = python(site)
        told = {"python": (details, half)}
        for name, script in (("node", "server.mjs"), ("web", "web.mjs")):
            said = node(site, modules, script)
            told[name] = (said["details"], said["half"])
            for more, found in said.get("checks", {}).items():
                check(f"{name}: {more}", found, True)
        for name, (details, there) in told.items():
            for (kind, key, *_, wanted), found in zip(CASES, details, strict=True):
                check(f"{name}: {kind} {key}", tuple(found), wanted)
            # The same units, whoever asks.
            check(f"{name}: the half", there, half)
            check(f"{name}: about a half", len(UNITS) // 4 < len(there) < len(UNITS) * 3 // 4, True)
    return passed, missed
