"""SDKs of Unleash and GrowthBook, as they are published, ask a control plane for flags: only address and key are ours.

Flags come from files of these products (`vendors/*.json`, as their own SDKs get them) and from one of ours. Each client is a
program in `vendors/`; it says what its SDK answers for some hundred people, which is compared with what the server itself
answers, hears of a change, and reports.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import Empty, Queue

from control_plane import ControlPlane, control_plane
from site_under_test import BUILD_SECONDS, ROOT, SuiteError, command, tools

PACKAGES = ["UnleashClient==6.9.1", "growthbook==4.0.0"]
MODULES = ["unleash-client@6.12.1", "unleash-proxy-client@3.8.2", "@growthbook/growthbook@1.8.0", "eventsource@5.1.5"]
SOURCES = ROOT / "tests" / "suites" / "vendors"
PEOPLE = 240
LINE_SECONDS = 60
# Programs, the way in which they ask, and the key that they need.
CLIENTS = [
    ("unleash_node.mjs", "polling", "server"),
    ("unleash_node.mjs", "delta", "server"),
    ("unleash_node.mjs", "streaming", "server"),
    ("unleash_python.py", "polling", "server"),
    ("unleash_python.py", "streaming", "server"),
    ("unleash_page.mjs", "get", "client"),
    ("unleash_page.mjs", "post", "client"),
    ("growthbook_node.mjs", "local", "server"),
    ("growthbook_node.mjs", "encrypted", "encrypted"),
    ("growthbook_node.mjs", "remote", "client"),
    ("growthbook_python.py", "local", "server"),
    ("growthbook_python.py", "encrypted", "encrypted"),
    ("growthbook_python.py", "remote", "client"),
]
# Flags that their own SDKs would give other people, or that are not there.
NOT_FOR_UNLEASH = {"native-split", "elsewhere", "rolled-out", "three-ways"}
NOT_FOR_GROWTHBOOK = {"native-split", "elsewhere", "by-user", "payloads"}
# Flags that change, or are counted, while clients ask.
TOUCHED = {"changed", "counted"}


def run() -> tuple[int, list[str]]:
    """Asks with each SDK and compares what it says."""
    place = fetch()
    score = Score()
    with tempfile.TemporaryDirectory(prefix="gateline-vendors-") as folder, control_plane(Path(folder)) as plane:
        prepare(plane, Path(folder))
        keys = {"server": plane.key("server"), "client": plane.key("client")}
        keys["encrypted"] = plane.key("server", "--encrypt-payload")
        told = Told(plane, keys["server"]["key"])
        documents(plane, keys, score)
        for program, mode, kind in CLIENTS:
            name = f"{program.partition('.')[0]} {mode}"
            client = Client(place, program, {**keys[kind], "url": plane.url, "mode": mode})
            try:
                ask(client, told, score.of(name))
            except (SuiteError, OSError) as error:
                score.missed.append(f"{name}: {error}")
            finally:
                client.stop()
    return score.passed, score.missed


class Score:
    """What was as it should be, and what was not."""

    def __init__(self) -> None:
        self.passed = 0
        self.missed: list[str] = []

    def check(self, name: str, found: object, wanted: object) -> None:
        """Compares."""
        if found == wanted:
            self.passed += 1
        else:
            self.missed.append(f"{name}: {found!r}, not {wanted!r}")

    def of(self, name: str) -> Callable[[str, object, object], None]:
        """Compares what a client says."""
        return lambda what, found, wanted: self.check(f"{name}: {what}", found, wanted)


def fetch() -> Path:
    """A folder with the packages of PyPI and npm, made once."""
    place = tools() / "vendors"
    wanted = " ".join(PACKAGES + MODULES)
    done = place / ".complete"
    if not done.exists() or done.read_text() != wanted:
        venv.create(place, with_pip=True, clear=True)
        command([str(place / "bin" / "pip"), "install", "--quiet", *PACKAGES])
        command(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(place), *MODULES])
        done.write_text(wanted)
    return place


def prepare(plane: ControlPlane, folder: Path) -> None:
    """Makes the flags: converted from files of other products, and ours."""
    for product in ("unleash", "growthbook"):
        words = ["--from", product, "--environment", "production"]
        flags = plane.command("flags", "convert", str(SOURCES / f"{product}.json"), *words)
        apply(plane, folder / f"{product}.json", flags)
    apply(plane, folder / "native.json", json.loads((SOURCES / "native.json").read_text()))


def apply(plane: ControlPlane, file: Path, flags: dict) -> None:
    """Makes flags, for pages too unless they say something else."""
    for flag in flags["flags"].values():
        flag.setdefault("client_side", True)
    file.write_text(json.dumps(flags))
    plane.command("flags", "apply", str(file))


class Told:
    """What the server itself answers."""

    def __init__(self, plane: ControlPlane, key: str) -> None:
        self.plane = plane
        self.key = key
        flags = plane.read("/api/v1/feature-flags?limit=100")["data"]
        self.flags = {flag["key"]: flag for flag in flags if "production" in flag["environments"]}

    def of(self, person: dict, flags: list[str]) -> dict[str, dict]:
        """What somebody gets."""
        return self.plane.evaluate(self.key, person, flags)

    def counted(self, flag: str) -> dict[str, int]:
        """How often each variant of a flag was given."""
        answer = self.plane.read(f"/api/v1/feature-flags/{self.flags[flag]['id']}/evaluations")
        counts: dict[str, int] = {}
        for one in answer["counts"]:
            counts[one["variant"]] = counts.get(one["variant"], 0) + one["count"]
        return counts


class Client:
    """A program that asks with an SDK; it is told what to ask in one line, and answers line by line."""

    def __init__(self, place: Path, program: str, site: dict) -> None:
        self.site = site
        self.is_unleash = program.startswith("unleash")
        # Packages are looked for beside the program.
        script = place / program
        script.write_text((SOURCES / program).read_text())
        runner = str(place / "bin" / "python") if program.endswith(".py") else "node"
        self.errors = (place / f"{program}.log").open("w+")
        self.process = subprocess.Popen(
            [runner, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=place
        )
        self.lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def say(self, what: dict) -> None:
        """Tells it something."""
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def line(self) -> dict:
        """What it says next."""
        try:
            line = self.lines.get(timeout=LINE_SECONDS)
        except Empty:
            line = ""
        if not line:
            self.errors.seek(0)
            raise SuiteError(f"it says nothing: {self.errors.read()[-2000:]}")
        return json.loads(line)

    def stop(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.wait()
        self.errors.close()


def ask(client: Client, told: Told, check: Callable[[str, object, object], None]) -> None:
    """A client's answers, a change that it hears of, and what it reports."""
    is_page = client.site["kind"] == "client"
    people = [person(number, client.is_unleash) for number in range(PEOPLE)]
    client.say({"site": client.site, "people": people, "page": is_page})
    said = client.line()
    check("a wrong key", said["wrong_key"], True)
    said = client.line()
    flags = sorted(said["flags"])
    check("flags that it has and should not", sorted(left_out(client.is_unleash, is_page) & set(flags)), [])
    missing = own(client, is_page) - set(flags)
    check("flags that it should have and has not", sorted(missing), [])
    flags = [flag for flag in flags if flag not in TOUCHED]
    wrong: dict[str, list] = {}
    for number, one in enumerate(people):
        found = said["answers"][number]
        for flag, evaluation in told.of(attributes(one, client.is_unleash, is_page), flags).items():
            wanted = unleash_answer(told.flags[flag], evaluation) if client.is_unleash else evaluation["value"]
            if found[flag] != wanted:
                wrong.setdefault(flag, []).append((one, found[flag], wanted))
    for flag in flags:
        check(flag, wrong.get(flag, [])[:1], [])
    before = told.counted("counted")
    told.plane.command("flags", "set", "changed", "--environment", "production", "--on", "100%")
    try:
        check("it hears of a change", client.line()["heard"], True)
    finally:
        told.plane.command("flags", "set", "changed", "--environment", "production", "--off")
    last = client.line()
    for what, found in last["checks"].items():
        check(what, found, True)
    if client.is_unleash:
        after = told.counted("counted")
        counts = {name: after[name] - before.get(name, 0) for name in after}
        check("what it reports is counted", counts, {"yes": last["counted"]})


def own(client: Client, is_page: bool) -> set[str]:
    """The flags that a client must know."""
    sources = ["unleash" if client.is_unleash else "growthbook", "native"]
    flags: set[str] = set()
    for source in sources:
        document = json.loads((SOURCES / f"{source}.json").read_text())
        named = document.get("features") or document["flags"]
        flags |= set(named) if isinstance(named, dict) else {one["name"] for one in named}
    return flags - left_out(client.is_unleash, is_page)


def left_out(is_unleash: bool, is_page: bool) -> set[str]:
    """Flags that a client must not know."""
    if is_page:
        return {"elsewhere", "kept-from-pages"}
    return NOT_FOR_UNLEASH if is_unleash else NOT_FOR_GROWTHBOOK


def person(number: int, is_unleash: bool) -> dict:
    """Somebody; of some less is known than of others."""
    known = {
        "plan": ["free", "pro", "team", "enterprise"][number % 4],
        "company": f"company-{number % 13}",
        "age": 10 + number % 50,
        "version": f"{number % 3}.{number % 5}.{number % 7}" + ("-beta.1" if number % 11 == 0 else ""),
        "email": f"person-{number}@{'acme' if number % 3 else 'other'}.example",
        "country": ["DE", "FR", "AT", "US", "SE"][number % 5],
    }
    for place, name in enumerate(list(known)):
        if (number + place * 3) % 17 == 0:
            del known[name]
    if is_unleash:
        texts = {name: str(value) for name, value in known.items()}
        context = {"sessionId": f"session-{number * 7 % 97}", "remoteAddress": f"10.{number % 3}.0.{number % 250}", "properties": texts}
        return context if number % 6 == 0 else {"userId": f"user-{number}", **context}
    if number % 9:
        known["tags"] = ["beta", "old"] if number % 4 else ["new"]
    known["session_id"] = f"session-{number}"
    return known if number % 6 == 0 else {"id": f"user-{number}", **known}


def attributes(person: dict, is_unleash: bool, is_page: bool) -> dict:
    """The same as the server is asked about it."""
    if not is_unleash:
        # Where the server evaluates, an `id` is a `user_id` as well.
        return {**person, "user_id": person["id"]} if is_page and "id" in person else person
    names = {"userId": "user_id", "sessionId": "session_id", "remoteAddress": "remote_address"}
    known = {names[name]: value for name, value in person.items() if name in names}
    return {**person["properties"], **known, "environment": "default", "app_name": "vendors"}


def unleash_answer(flag: dict, evaluation: dict) -> list:
    """Whether a feature is on, its variant and payload, as Unleash's clients say it."""
    off = flag["environments"]["production"]["off"]
    variant, value = evaluation["variant"], evaluation["value"]
    if variant == off:
        return [False, "disabled", None]
    if isinstance(value, bool):
        return [True, "disabled", None]
    if isinstance(value, dict) and set(value) == {"unleash"}:
        exact = value["unleash"]
        return [True, exact["name"], payload(exact.get("payload"))]
    if value is None:
        return [True, variant, None]
    kind = {str: "string", int: "number", float: "number"}.get(type(value), "json")
    text = value if kind == "string" else json.dumps(value)
    return [True, variant, payload({"type": kind, "value": text})]


def payload(found: dict | None) -> list | None:
    """What a payload says; of JSON, the value."""
    if found is None:
        return None
    return [found["type"], json.loads(found["value"]) if found["type"] == "json" else found["value"]]


def documents(plane: ControlPlane, keys: dict[str, dict], score: Score) -> None:
    """What is there already is not sent again."""
    server = keys["server"]["key"]
    for path in ("/api/client/features", "/api/client/delta", f"/api/features/{server}"):
        first = fetched(plane.url + path, server, None)
        again = fetched(plane.url + path, server, first[1])
        score.check(f"{path.replace(server, '…')}: known", (first[0], again[0]), (200, 304))


def fetched(url: str, key: str, tag: str | None) -> tuple[int, str | None]:
    """Status and tag of an answer."""
    headers = {"authorization": key, **({"if-none-match": tag} if tag else {})}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.headers["etag"]
    except urllib.error.HTTPError as error:
        return error.code, error.headers["etag"]
