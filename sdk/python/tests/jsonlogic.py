"""Runs cases of JSONLogic as the crate `datalogic-rs` ships them against the engine here: ``jsonlogic.py FOLDER``.

It prints each case that fails, and the score. `tests/suites` fetches them. Its twin is `sdk/javascript/test/jsonlogic.ts`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from gateline.evaluation.logic import LogicError, apply

#: The files with what flags need.
FILES = ("compatible.json", "flagd/fractional.json", "flagd/sem_ver.json")
#: What is said of a case that goes wrong.
ERROR = "an error"


def found(case: dict[str, Any]) -> Any:
    """Says what a case gives, as JSON: to Python, 1 is equal to `True`."""
    try:
        return written(apply(case["rule"], case.get("data")))
    except LogicError:
        return ERROR


def written(value: Any) -> str:
    """Writes a value so that equal values are equal texts; 1 and 1.0 are."""
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def main(folder: Path) -> int:
    passed, failed = 0, 0
    for file in FILES:
        for case in json.loads((folder / file).read_text(encoding="utf-8")):
            # Texts between the cases are headings.
            if isinstance(case, str):
                continue
            expected = written(case["result"]) if "result" in case else ERROR
            if (said := found(case)) == expected:
                passed += 1
            else:
                failed += 1
                print(f"failed: {file}: {case['description']}: {said} in place of {expected}")
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
