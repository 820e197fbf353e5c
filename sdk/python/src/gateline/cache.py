"""What is kept for a start without the server."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateline.errors import GatelineError

Failed = Callable[[GatelineError], None]


class Kept:
    """Keeps what the server said last in a file, which is replaced as a whole and is for its owner alone."""

    def __init__(self, path: str | os.PathLike[str] | None, form: str, failed: Failed) -> None:
        self._path = None if path is None else Path(path)
        self._form = form
        self._failed = failed

    @property
    def is_wanted(self) -> bool:
        """Whether there is a place for it."""
        return self._path is not None

    def read(self) -> Any:
        """Says what was kept, if anything; whatever is wrong with it is told."""
        if self._path is None:
            return None
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._failed(GatelineError("copy_unusable", f"What was kept cannot be read: {error}"))
            return None
        return kept.get("said") if isinstance(kept, dict) and kept.get("form") == self._form else None

    def write(self, said: Any) -> None:
        """Keeps what the server said."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Such files are readable by their owner alone.
            number, beside = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name, suffix=".new")
            try:
                with open(number, "w", encoding="utf-8") as file:
                    json.dump({"form": self._form, "said": said}, file)
                os.replace(beside, self._path)
            except BaseException:
                os.unlink(beside)
                raise
        except OSError as error:
            self._failed(GatelineError("copy_unusable", f"Definitions cannot be kept: {error}"))


def read_json(bootstrap: Any, failed: Failed) -> Any:
    """Reads a bootstrap: an object as it is, or a file of one."""
    if not isinstance(bootstrap, str | os.PathLike):
        return bootstrap
    try:
        return json.loads(Path(bootstrap).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        failed(GatelineError("copy_unusable", f"The bootstrap cannot be read: {error}"))
        return None


def fingerprint(text: str) -> str:
    """Says a short text that is another one for other texts."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
