"""The client of programs with an event loop: it says what the other one says, and lets the loop go on."""

import asyncio
import threading
import unittest
from collections.abc import Sequence
from typing import Any
from unittest import mock

from fake_server import KEY, WAIT_SECONDS
from with_server import NOWHERE, WithServer

from gateline import AsyncGateline, Details, Flag, Gateline, Options
from gateline.context import Attributes


class Awaited(WithServer, unittest.IsolatedAsyncioTestCase):
    def awaited(self, url: str | None = None, **options: Any) -> AsyncGateline:
        said = {"backoff": 0.001, "on_error": self.told, **options}
        return AsyncGateline(url or self.server.url, KEY, Options(**said))

    async def test_it_says_what_the_other_client_says(self) -> None:
        person = {"user_id": "1", "company": {"plan": "gold"}}
        for evaluation in ("local", "remote"):
            plain = self.client(evaluation=evaluation)
            async with self.awaited(evaluation=evaluation) as gateline:
                self.assertIs(await gateline.ready(person), True)
                self.assertIs(await gateline.check("on", person), True)
                self.assertIs(await gateline.check(Flag("none", True), person), True)
                self.assertEqual(await gateline.string("colour", "", person), "#f00")
                self.assertEqual(await gateline.number("limit", 0.0, person), 2.5)
                self.assertEqual(await gateline.json("layout", None, person), {"columns": 3})
                self.assertEqual(await gateline.value(Flag("colour", ""), person), "#f00")
                details: Details[bool] = await gateline.details("half", False, person)
                self.assertEqual(details, plain.details("half", False, person))
                self.assertEqual(gateline.peek("half", False, person), details)
                self.assertEqual(await gateline.all(person), plain.all(person))

    async def test_exposures_are_sent_when_asked_for_and_at_the_end(self) -> None:
        async with self.awaited() as gateline:
            await gateline.check("half", {"user_id": "1"})
            await gateline.flush()
            self.assertEqual([told["unit"] for told in self.server.exposures], ["1"])
            gateline.expose("half", {"user_id": "2"})
        self.assertEqual([told["unit"] for told in self.server.exposures], ["1", "2"])

    async def test_the_loop_goes_on_while_a_question_waits(self) -> None:
        released, went_on = threading.Event(), []

        def load(_: Gateline, __: Attributes) -> None:
            went_on.append(released.wait(WAIT_SECONDS))

        async with self.awaited(evaluation="remote") as gateline:
            with mock.patch.object(Gateline, "_load", load):
                asked = asyncio.create_task(gateline.check("on", {"user_id": "1"}))
                await asyncio.sleep(0)
                released.set()
                self.assertIs(await asked, False)
        self.assertEqual(went_on, [True])

    async def test_what_is_there_is_answered_without_a_thread(self) -> None:
        for evaluation in ("local", "remote"):
            # A stream that opens asks anew.
            async with self.awaited(evaluation=evaluation, streaming=False) as gateline:
                await gateline.ready({"user_id": "1"})
                with mock.patch.object(asyncio, "to_thread", side_effect=AssertionError):
                    self.assertIs(await gateline.check("on", {"user_id": "1"}), True)

    async def test_where_nobody_answers_the_default_is_given(self) -> None:
        async with self.awaited(NOWHERE, timeout=0.5) as gateline:
            self.assertEqual((await gateline.details("on", True)).error, "not_ready")
            self.assertIs(await gateline.ready(), False)
        async with self.awaited("nonsense") as gateline:
            self.assertIs(await gateline.check("on", default=True), True)
        self.assertEqual(self.codes(), {"unreachable", "options_invalid"})

    async def test_changes_are_heard_of(self) -> None:
        async with self.awaited() as gateline:
            await gateline.ready()
            loop, heard = asyncio.get_running_loop(), asyncio.Event()

            def listen(_: Sequence[str]) -> None:
                loop.call_soon_threadsafe(heard.set)

            end = gateline.on_change(listen)
            self.server.change("on", {"variants": {"off": False}, "off": "off", "otherwise": {"serve": "off"}})
            await asyncio.wait_for(heard.wait(), WAIT_SECONDS)
            self.assertIs(await gateline.check("on"), False)
            end()


if __name__ == "__main__":
    unittest.main()
