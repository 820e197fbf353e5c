"""Tables of the lake, read by Delta Lake's own Python package, Polars and DuckDB, on a disk and in an S3 store."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from site_under_test import (
    BUILD_SECONDS,
    HOST,
    ROOT,
    START_SECONDS,
    STOP_SECONDS,
    SuiteError,
    command,
    free_port,
    tools,
)

PACKAGES = ["deltalake==1.6.6", "polars==2.1.0", "duckdb==2.0.0", "pyarrow", "boto3", "moto[server]==5.2.5"]
BUCKET = "events"
KEY_ID, KEY = "suite", "not-a-secret"
BATCHES, EVENTS = 12, 400
Totals = dict[str, int]


def fetch() -> Path:
    """An environment with the packages of PyPI, made once; its packages are known to this program then."""
    place = tools() / "lake"
    if not (place / ".complete").exists():
        venv.create(place, with_pip=True, clear=True)
        command([str(place / "bin" / "pip"), "install", "--quiet", *PACKAGES])
        (place / ".complete").touch()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path.insert(0, str(place / "lib" / version / "site-packages"))
    return place


def example() -> str:
    """The program that fills a lake."""
    command(["cargo", "build", "--quiet", "-p", "lake", "--example", "fill"], cwd=ROOT)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return str(target / "debug" / "examples" / "fill")


def fill(program: str, url: str, nodes: list[int], environment: dict[str, str]) -> list[tuple[Totals, Totals]]:
    """Lets nodes commit at once; for each what it made, and what SQL says of all when it is done."""
    running = [
        subprocess.Popen(
            [program, url, str(node), str(BATCHES), str(EVENTS)],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for node in nodes
    ]
    told = []
    for process in running:
        out, err = process.communicate(timeout=BUILD_SECONDS)
        if process.returncode != 0:
            raise SuiteError(f"fill {url}: {err.strip()[-2000:]}")
        made, asked = out.splitlines()
        told.append((json.loads(made), json.loads(asked)))
    return told


def add(totals: list[Totals]) -> Totals:
    return {name: sum(each[name] for each in totals) for name in totals[0]}


def delta(url: str, options: dict[str, str]) -> Totals:
    """The sums by the package `deltalake` and pyarrow."""
    import pyarrow.compute as pc
    from deltalake import DeltaTable

    rows = DeltaTable(url, storage_options=options).to_pyarrow_table()
    return {
        "calls": rows.num_rows,
        "bytes_out": pc.sum(rows["bytes_out"]).as_py(),
        "latency_us": pc.sum(rows["latency_us"]).as_py(),
        "refused": rows.num_rows - rows["refusal"].null_count,
        "without_provider": rows["organization_id"].null_count,
    }


def polars(url: str, options: dict[str, str]) -> Totals:
    """The sums by Polars."""
    import polars as pl

    sums = pl.scan_delta(url, storage_options=options).select(
        pl.len().alias("calls"),
        pl.col("bytes_out").sum(),
        pl.col("latency_us").sum(),
        pl.col("refusal").count().alias("refused"),
        pl.col("organization_id").null_count().alias("without_provider"),
    )
    return {name: int(value) for name, value in sums.collect().row(0, named=True).items()}


def duckdb(url: str) -> Totals:
    """The sums by DuckDB, of the files that the newest version names."""
    import duckdb as engine
    from deltalake import DeltaTable

    files = DeltaTable(url).file_uris()
    sums = engine.sql(
        "SELECT count(*) AS calls, sum(bytes_out) AS bytes_out, sum(latency_us) AS latency_us, "
        "count(refusal) AS refused, count(*) - count(organization_id) AS without_provider FROM read_parquet($files, hive_partitioning = true)",
        params={"files": [file.removeprefix("file://") for file in files]},
    )
    return {name: int(value) for name, value in zip(sums.columns, sums.limit(1).fetchall()[0], strict=True)}


def answers(server: str) -> bool:
    try:
        with urllib.request.urlopen(server, timeout=1):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@contextmanager
def store(place: Path) -> Iterator[str]:
    """An S3 store in memory with one bucket; its address."""
    port = free_port()
    address = f"http://{HOST}:{port}"
    server = subprocess.Popen(
        [str(place / "bin" / "moto_server"), "-H", HOST, "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + START_SECONDS
        while not answers(address):
            if server.poll() is not None or time.monotonic() > end:
                raise SuiteError("moto does not start")
            time.sleep(0.1)
        import boto3

        client = boto3.client(
            "s3", endpoint_url=address, aws_access_key_id=KEY_ID, aws_secret_access_key=KEY, region_name="us-east-1"
        )
        client.create_bucket(Bucket=BUCKET)
        yield address
    finally:
        server.terminate()
        server.wait(STOP_SECONDS)


def run() -> tuple[int, list[str]]:
    """Fills two lakes and compares what each reader says of them."""
    place, program = fetch(), example()
    passed, missed = 0, []

    def check(name: str, found: Totals, wanted: Totals) -> None:
        nonlocal passed
        if all(found[column] == wanted[column] for column in found if column in wanted):
            passed += 1
        else:
            missed.append(f"{name}: {found}, not {wanted}")

    def check_all(name: str, url: str, environment: dict[str, str], options: dict[str, str]) -> None:
        # Two of the nodes are the same one: two committers by mistake.
        told = fill(program, url, [1, 2, 2], environment)
        wanted = add([told[0][0], told[1][0]])
        told = command([program, url, "1", "0", "0", "compact"], env={**os.environ, **environment})
        compacted = json.loads(told.splitlines()[1])
        check(f"{name}: SQL", compacted, {**wanted, "requests": wanted["calls"]})
        table = f"{url}/calls"
        check(f"{name}: deltalake", delta(table, options), wanted)
        check(f"{name}: polars", polars(table, options), wanted)
        if not options:
            check(f"{name}: duckdb", duckdb(table), wanted)

    with tempfile.TemporaryDirectory() as directory:
        check_all("disk", Path(directory).as_uri(), {}, {})
    with store(place) as address:
        check_all(
            "S3",
            f"s3://{BUCKET}/lake",
            {"S3_ENDPOINT": address, "S3_KEY_ID": KEY_ID, "S3_KEY": KEY},
            {
                "AWS_ENDPOINT_URL": address,
                "AWS_ACCESS_KEY_ID": KEY_ID,
                "AWS_SECRET_ACCESS_KEY": KEY,
                "AWS_REGION": "us-east-1",
                "AWS_ALLOW_HTTP": "true",
            },
        )
    return passed, missed
