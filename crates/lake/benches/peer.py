"""Asks DuckDB what the benchmark of the lake asks, of the same files: one statement a line, answered by milliseconds and rows.

Wants the packages `duckdb` and `deltalake`; the table is the first argument.
"""

import json
import sys
import time

import duckdb
from deltalake import DeltaTable

files = [file.removeprefix("file://") for file in DeltaTable(sys.argv[1]).file_uris()]
engine = duckdb.connect()
engine.execute("CREATE VIEW calls AS SELECT * FROM read_parquet($files, hive_partitioning = true)".replace("$files", repr(files)))
print("ready", flush=True)
for line in sys.stdin:
    statement = json.loads(line)
    started = time.perf_counter()
    rows = len(engine.execute(statement).fetchall())
    print((time.perf_counter() - started) * 1e3, rows, flush=True)
