"""Calls of the server."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from gateline.backoff import retry_after
from gateline.errors import GatelineError

_ANSWER_BYTES_MAX = 64 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_PROBLEM_BYTES_MAX = 64 * 1024
_DETAIL_LETTERS_MAX = 500
_UNREACHABLE = (OSError, HTTPException)


class _NoRedirect(HTTPRedirectHandler):
    """A key goes to the server that was named, and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(frozen=True)
class Answer:
    """What the server says, or that nothing has changed."""

    is_new: bool
    body: Any = None
    etag: str | None = None


class Transport:
    """Calls a server with an SDK key."""

    def __init__(self, url: str, key: str, timeout: float) -> None:
        """Raises `GatelineError` if there is no key, or the address is none."""
        if not isinstance(key, str) or not key:
            raise GatelineError("options_invalid", "There is no `key`.")
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        except (AttributeError, TypeError, ValueError):
            is_address = False
        if not is_address:
            raise GatelineError("options_invalid", f"This is not the address of a server: {url!r}")
        self._base = url.rstrip("/?#")
        self._key = key
        self._timeout = timeout
        self._opener = build_opener(_NoRedirect)

    def call(self, path: str, body: Any = None, etag: str | None = None) -> Answer:
        """Asks, or sends a body if there is one; raises `GatelineError` unless the answer is a good one."""
        headers = {"Accept": "application/json"}
        if etag is not None:
            headers["If-None-Match"] = etag
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        deadline = time.monotonic() + self._timeout
        request = self._request(path, headers, data)
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                text = _read(response, deadline)
                tag = response.headers.get("ETag")
        except HTTPError as error:
            with error:
                if error.code == 304:
                    return Answer(is_new=False)
                raise refusal(error) from None
        except _UNREACHABLE as error:
            raise unreachable(request, error) from error
        try:
            return Answer(is_new=True, body=json.loads(text) if text else None, etag=tag)
        except ValueError as error:
            raise GatelineError("answer_invalid", "The server's answer is no JSON.") from error

    def open_stream(self, path: str, silence: float) -> HTTPResponse:
        """Opens a stream of events; raises `GatelineError` if the answer is something else."""
        request = self._request(path, {"Accept": "text/event-stream", "Cache-Control": "no-store"})
        try:
            response: HTTPResponse = self._opener.open(request, timeout=silence)
        except HTTPError as error:
            with error:
                raise refusal(error) from None
        except _UNREACHABLE as error:
            raise unreachable(request, error) from error
        if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            response.close()
            raise GatelineError("answer_invalid", "The server answers the stream of changes with something else.")
        return response

    def _request(self, path: str, headers: Mapping[str, str], data: bytes | None = None) -> Request:
        address = f"{self._base}/api/v1/{path}"
        return Request(address, data=data, headers={**headers, "X-API-Key": self._key, "User-Agent": "gateline-python"})


def _read(response: IO[bytes], deadline: float) -> bytes:
    pieces = []
    length = 0
    while piece := response.read(_PIECE_BYTES):
        pieces.append(piece)
        length += len(piece)
        if length > _ANSWER_BYTES_MAX:
            raise GatelineError("answer_invalid", f"The server's answer is larger than {_ANSWER_BYTES_MAX} bytes.")
        if time.monotonic() > deadline:
            raise TimeoutError("the answer does not come to an end in time")
    return b"".join(pieces)


def refusal(error: HTTPError) -> GatelineError:
    """Says why the server refuses: it may be told as a problem (RFC 9457)."""
    detail = ""
    try:
        problem = json.loads(error.read(_PROBLEM_BYTES_MAX))
        if isinstance(problem, dict) and "detail" in problem:
            detail = f": {str(problem['detail'])[:_DETAIL_LETTERS_MAX]}"
    except (ValueError, *_UNREACHABLE):
        # A proxy's page says nothing that would help.
        pass
    message = f"The server answers {error.code}{detail}"
    return GatelineError("refused", message, status=error.code, retry_after=retry_after(error.headers.get("Retry-After")))


def unreachable(request: Request, cause: BaseException) -> GatelineError:
    """Says that a server was not reached, or broke off."""
    return GatelineError("unreachable", f"{request.full_url} cannot be asked: {cause}")
