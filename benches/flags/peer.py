"""What a node is compared with: `unleash-server`, as it is published, with PostgreSQL behind it, fetched and started by the
benchmark alone; and what has its answer ready: a HAProxy, and hyper, on which a node is built."""

import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

# It wants a newer Node than distributions have.
MODULES = ["node@22.23.3", "unleash-server@8.2.0"]
INSTALLED = Path("/usr/lib/postgresql")
START_SECONDS = 120
ADMIN = "*:*." + secrets.token_hex(16)
FRONTEND = "default:development." + secrets.token_hex(16)
API = "/api/admin/projects/default/features"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Still:
    """A program with one thread that answers everything with the same JSON."""

    def __init__(self, line: list[str | Path], port: int, log: Path) -> None:
        self.port = port
        self.log = log.open("wb")
        self.process = subprocess.Popen(line, stdout=self.log, stderr=self.log, cwd=log.parent)
        end = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"{line[0]} does not start: " + log.read_text())
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Ends it."""
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


def haproxy(folder: Path, answer: Path) -> Still:
    """HAProxy of the system."""
    program = shutil.which("haproxy", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if program is None:
        raise SystemExit("HAProxy is missing: install Debian's package `haproxy`")
    port = free_port()
    settings = folder / "haproxy.cfg"
    settings.write_text(
        "global\n  nbthread 1\n"
        "defaults\n  mode http\n  timeout client 60s\n  timeout http-keep-alive 60s\n"
        f"frontend still\n  bind 127.0.0.1:{port}\n"
        f"  http-request return status 200 content-type application/json file {answer}\n"
    )
    return Still([program, "-db", "-f", settings], port, folder / "haproxy.log")


def hyper(programs: Path, folder: Path, answer: Path) -> Still:
    """The least that a program on hyper does."""
    port = free_port()
    return Still([programs / "hello", "--port", str(port), "--answer", answer], port, folder / "hello.log")


class Unleash:
    """It runs until it is stopped; `port` is where it listens."""

    def __init__(self, tools: Path, folder: Path, port: int) -> None:
        self.port = port
        self.key = FRONTEND
        self.database = Database(folder / "postgres")
        modules = fetched(tools)
        self.log = (folder / "unleash.log").open("wb")
        server = modules / "unleash-server" / "dist" / "server.js"
        self.process = subprocess.Popen(
            [modules / "node" / "bin" / "node", server],
            stdout=self.log,
            stderr=self.log,
            cwd=folder,
            env={
                **os.environ,
                "NODE_ENV": "production",
                "DATABASE_URL": self.database.address,
                "DATABASE_SSL": "false",
                "HTTP_HOST": "127.0.0.1",
                "HTTP_PORT": str(port),
                "INIT_ADMIN_API_TOKENS": ADMIN,
                "INIT_FRONTEND_API_TOKENS": FRONTEND,
                "CHECK_VERSION": "false",
                "SEND_TELEMETRY": "false",
                "LOG_LEVEL": "warn",
            },
        )
        end = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit("unleash-server does not start: " + (folder / "unleash.log").read_text()[-2000:])
            time.sleep(0.2)

    def _is_ready(self) -> bool:
        try:
            return self._ask("GET", "/health", None)["health"] == "GOOD"
        except (OSError, urllib.error.URLError, KeyError, ValueError):
            return False

    def make(self, name: str, strategy: dict) -> None:
        """Makes a feature that is on by a strategy."""
        self._ask("POST", API, {"name": name, "type": "release"})
        environment = f"{API}/{name}/environments/development"
        self._ask("POST", f"{environment}/strategies", strategy)
        self._ask("POST", f"{environment}/on", {})

    def toggles(self, query: str) -> list[str]:
        """The features that are on for somebody."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/frontend?{query}", headers={"authorization": FRONTEND})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return [toggle["name"] for toggle in json.loads(answer.read())["toggles"]]

    def _ask(self, method: str, path: str, body: dict | None) -> dict:
        content = None if body is None else json.dumps(body).encode()
        headers = {"authorization": ADMIN, "content-type": "application/json"}
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", content, headers, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.loads(answer.read() or b"{}")

    def stop(self) -> None:
        """Ends it and its database."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.database.stop()


class Database:
    """A PostgreSQL of its own, reached by a socket in its folder."""

    def __init__(self, folder: Path) -> None:
        versions = [place for place in INSTALLED.glob("*/bin/initdb")]
        if not versions:
            raise SystemExit(f"PostgreSQL is missing below {INSTALLED}: install Debian's package `postgresql`")
        programs = max(versions, key=lambda place: int(place.parts[-3])).parent
        folder.mkdir()
        # It refuses to be run by root.
        user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
            folder.parent.chmod(0o755)
        self.address = f"postgres://unleash@localhost/postgres?host={folder}"
        words = ["-U", "unleash", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        made = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder, **who}
        subprocess.run([programs / "initdb", "-D", folder / "data", *words], **made)
        self.log = (folder.parent / "postgres.log").open("wb")
        self.process = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses="],
            stdout=self.log,
            stderr=self.log,
            cwd=folder,
            **who,
        )
        ready = [programs / "pg_isready", "-q", "-h", folder, "-U", "unleash", "-d", "postgres"]
        end = time.monotonic() + START_SECONDS
        while subprocess.run(ready, check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit("PostgreSQL does not start: " + (folder.parent / "postgres.log").read_text()[-2000:])
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends it, in order."""
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


def fetched(tools: Path) -> Path:
    """The folder of its packages, fetched once."""
    place = tools / "unleash-server"
    wanted = " ".join(MODULES)
    done = place / ".complete"
    if not done.exists() or done.read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        print(f"fetching {wanted}", file=sys.stderr)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", place, *MODULES], check=True)
        done.write_text(wanted)
    return place / "node_modules"
