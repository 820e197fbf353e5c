"""The same client for programs with an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from gateline.client import Gateline, Listener
from gateline.context import Context
from gateline.options import Options
from gateline.types import Details, Flag

T = TypeVar("T")


class AsyncGateline:
    """Asks for flags of one environment, and lets the event loop go on meanwhile.

    A question that is answered by what is there is answered at once; one that has to wait for the server waits in a thread.
    As with `Gateline`, nothing here raises.
    """

    def __init__(self, url: str, key: str, options: Options | None = None) -> None:
        self._client = Gateline(url, key, options)

    async def check(self, flag: str | Flag[bool], context: Context | None = None, default: bool | None = None) -> bool:
        """Says whether a flag is on for somebody: the value of a boolean flag; of others, whether they get more than `off`."""
        return await self._ask(context, lambda: self._client.check(flag, context, default))

    async def string(self, key: str, default: str, context: Context | None = None) -> str:
        """Says the value of a flag whose values are texts."""
        return await self._ask(context, lambda: self._client.string(key, default, context))

    async def number(self, key: str, default: float, context: Context | None = None) -> float:
        """Says the value of a flag whose values are numbers."""
        return await self._ask(context, lambda: self._client.number(key, default, context))

    async def json(self, key: str, default: Any, context: Context | None = None) -> Any:
        """Says the value of a flag, whatever it is."""
        return await self._ask(context, lambda: self._client.json(key, default, context))

    async def value(self, flag: Flag[T], context: Context | None = None) -> T:
        """Says the value of a flag that has a type."""
        return await self._ask(context, lambda: self._client.value(flag, context))

    async def details(self, key: str, default: T, context: Context | None = None) -> Details[T]:
        """Says what somebody gets of a flag and why. A value of another type than the default's is not given."""
        return await self._ask(context, lambda: self._client.details(key, default, context))

    def peek(self, key: str, default: T, context: Context | None = None) -> Details[T]:
        """Says the same by what is there now, without waiting and without telling an exposure."""
        return self._client.peek(key, default, context)

    async def all(self, context: Context | None = None) -> dict[str, Details[Any]]:
        """Says what somebody gets of all flags; no exposure is told."""
        return await self._ask(context, lambda: self._client.all(context))

    def expose(self, key: str, context: Context | None = None) -> None:
        """Tells that somebody got what `peek` says."""
        self._client.expose(key, context)

    async def ready(self, context: Context | None = None) -> bool:
        """Says whether there is an answer of the server, or what was kept of one; waits for it as a question does."""
        return await self._ask(context, lambda: self._client.ready(context))

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Calls whenever flags change, with their keys, in a thread of its own and not in the loop; says how to end that."""
        return self._client.on_change(listener)

    async def flush(self) -> None:
        """Sends exposures that wait."""
        await asyncio.to_thread(self._client.flush)

    async def close(self) -> None:
        """Sends exposures that wait, and ends all work. What was learnt so far still answers."""
        await asyncio.to_thread(self._client.close)

    async def __aenter__(self) -> AsyncGateline:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, context: Context | None, question: Callable[[], T]) -> T:
        """Asks here if nobody has to wait for the answer, and in a thread otherwise."""
        if self._client._is_fresh_for(context):
            return question()
        return await asyncio.to_thread(question)
