"""The client against a little server: both ways to evaluate, changes, starts without the server, errors."""

import os
import stat
import tempfile
import threading
import unittest
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

from fake_server import KEY, Refusal, on
from with_server import CHANGES, DEFINITIONS, EVALUATE, NOWHERE, PATHS, WithServer

from gateline import Flag, Gateline, Options
from gateline.context import as_json, attributes_of


class Client(WithServer):
    def each(self) -> Iterator[str]:
        for evaluation in ("local", "remote"):
            with self.subTest(evaluation):
                self.server.asked.clear()
                self.errors.clear()
                yield evaluation
                self.close_clients()

    def test_one_line_says_whether_a_flag_is_on(self) -> None:
        for evaluation in self.each():
            gateline = self.client(evaluation=evaluation)
            self.assertIs(gateline.check("on", {"user_id": "123"}), True)
            self.assertIs(gateline.check("colour"), True)
            self.assertIs(gateline.check("none"), False)
            self.assertIs(gateline.check("none", default=True), True)
            self.assertIs(gateline.check(Flag("none", True)), True)
            self.assertEqual({asked.key for asked in self.server.asked}, {KEY})
            self.assertEqual(self.errors, [])

    def test_values_have_types_and_details_say_why(self) -> None:
        for evaluation in self.each():
            gateline = self.client(evaluation=evaluation)
            text: str = gateline.value(Flag("colour", "blue"))
            self.assertEqual(text, "#f00")
            self.assertEqual(gateline.string("colour", "x", {"user_id": "1"}), "#f00")
            self.assertEqual(gateline.number("limit", 1), 10)
            self.assertEqual(gateline.number("limit", 1, {"company": {"plan": "gold"}}), 2.5)
            self.assertEqual(gateline.json("layout", None), {"columns": 3})
            details = gateline.details("colour", "")
            told = (details.value, details.enabled, details.variant, details.reason, details.rule, details.flag_version)
            self.assertEqual(told, ("#f00", True, "red", "static", None, 4))
            other = gateline.details("colour", 7)
            self.assertEqual((other.value, other.reason, other.error), (7, "error", "type_mismatch"))
            self.assertEqual(gateline.details("limit", True).error, "type_mismatch")
            missing = gateline.details("missing", "x")
            self.assertEqual((missing.value, missing.error, missing.variant), ("x", "flag_not_found", None))

    def test_what_is_known_of_everybody_is_added(self) -> None:
        for evaluation in self.each():
            gateline = self.client(evaluation=evaluation, context={"company": {"plan": "gold"}})
            self.assertEqual(gateline.number("limit", 1), 2.5)
            self.assertEqual(gateline.number("limit", 1, {"company": {"plan": "free"}}), 10)

    def test_a_change_is_heard_of(self) -> None:
        for evaluation in self.each():
            self.server.change("on", on())
            gateline = self.client(evaluation=evaluation)
            self.assertIs(gateline.check("on"), True)
            changed: list[str] = []
            heard = threading.Event()
            gateline.on_change(lambda keys: (changed.extend(keys), heard.set())[1])  # type: ignore[func-returns-value]
            self.server.until(lambda: len(self.server.calls(CHANGES)) > 0)
            self.server.change("on", on(enabled=False, version=2))
            self.assertTrue(heard.wait(20))
            self.assertEqual(changed, ["on"])
            self.assertIs(gateline.check("on"), False)
            self.assertEqual(gateline.details("on", True).flag_version, 2)

    def test_a_stream_that_breaks_off_is_renewed(self) -> None:
        for evaluation in self.each():
            self.server.change("on", on())
            gateline = self.client(evaluation=evaluation)
            self.assertIs(gateline.check("on"), True)
            heard = threading.Event()
            gateline.on_change(lambda _: heard.set())
            self.server.until(lambda: len(self.server.calls(CHANGES)) > 0)
            self.server.definitions = {**self.server.definitions, "flags": {"on": on(enabled=False)}}
            self.server.break_streams()
            self.assertTrue(heard.wait(20))
            self.assertIs(gateline.check("on"), False)

    def test_without_a_stream_it_is_asked_again_and_again(self) -> None:
        self.server.has_stream = False
        for evaluation in self.each():
            self.server.change("on", on())
            gateline = self.client(evaluation=evaluation, poll=0.0)
            self.assertIs(gateline.check("on"), True)
            heard = threading.Event()
            gateline.on_change(lambda _: heard.set())
            self.server.until(lambda: len(self.server.calls(PATHS[evaluation])) > 1)
            self.assertIsNotNone(self.server.calls(PATHS[evaluation])[-1].etag)
            self.server.change("on", on(enabled=False))
            self.assertTrue(heard.wait(20))
            self.assertIs(gateline.peek("on", True).value, False)

    def test_what_was_kept_answers_without_the_server(self) -> None:
        person = {"user_id": "ann@acme.example"}
        for evaluation in self.each():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "deep" / "flags.json"
                gateline = self.client(evaluation=evaluation, cache_path=path, streaming=False)
                expected = gateline.check("half", person)
                self.server.until(path.exists)
                gateline.close()
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
                self.assertNotIn(KEY, path.read_text())
                self.assertNotIn("ann@acme", path.read_text())
                away = self.client(NOWHERE, evaluation=evaluation, cache_path=path)
                self.assertIs(away.ready(person), True)
                self.assertEqual(away.details("half", False, person).reason, "split")
                self.assertEqual(away.check("half", person), expected)
                self.server.until(lambda: bool(self.errors))
                self.assertEqual(self.codes(), {"unreachable"})

    def test_without_a_server_the_default_is_given(self) -> None:
        for evaluation in self.each():
            gateline = self.client(NOWHERE, evaluation=evaluation)
            self.assertIs(gateline.ready(), False)
            self.assertIs(gateline.check("on", default=True), True)
            details = gateline.details("on", False)
            self.assertEqual((details.value, details.reason, details.error), (False, "error", "not_ready"))
            self.assertEqual(gateline.all(), {})
            self.assertEqual(self.codes(), {"unreachable"})
            gateline.close()

    def test_a_server_that_has_no_time_is_not_asked_again_at_once(self) -> None:
        for evaluation in self.each():
            path = PATHS[evaluation]
            self.server.refusals = [Refusal(path, 503, {"Retry-After": "60"}) for _ in range(3)]
            gateline = self.client(evaluation=evaluation, streaming=False, backoff=60.0)
            for _ in range(20):
                self.assertIs(gateline.check("on"), False)
            self.assertEqual(len(self.server.calls(path)), 1)
            told = [(error.code, error.status, error.retry_after) for error in self.errors]
            self.assertEqual(told, [("refused", 503, 60.0)])

    def test_answers_of_any_form_do_no_harm(self) -> None:
        for evaluation in self.each():
            for body in (b"<html>", b"null", b"[]", b'{"flags": 7}', b'"x"', b"", b"\xff"):
                self.errors.clear()
                self.server.refusals = [Refusal(PATHS[evaluation], 200, body=body)]
                gateline = self.client(evaluation=evaluation, streaming=False, backoff=60.0)
                self.assertIs(gateline.check("on"), False)
                self.assertEqual(self.codes(), {"answer_invalid"}, body)
                gateline.close()

    def test_a_key_is_sent_to_no_other_server(self) -> None:
        for evaluation in self.each():
            self.server.refusals = [Refusal(PATHS[evaluation], 302, {"Location": f"{self.server.url}/elsewhere"})]
            gateline = self.client(evaluation=evaluation, streaming=False, backoff=60.0)
            self.assertIs(gateline.check("on"), False)
            self.assertEqual([asked.path for asked in self.server.asked], [PATHS[evaluation]])
            gateline.close()

    def test_a_share_grows_without_a_word_of_the_server(self) -> None:
        steps = [{"at": "2026-12-01T00:00:00Z", "percent": 100}]
        otherwise = {"rollout": {"serve": "on", "others": "off", "steps": steps}, "by": "user_id"}
        local = self.client(NOWHERE, bootstrap={"flags": {"on": on(otherwise=otherwise)}})
        first = int(datetime(2026, 12, 1, tzinfo=timezone.utc).timestamp()) * 10**9
        for now, expected in ((first - 1000, False), (first, True)):
            with mock.patch("gateline.local.time.time_ns", return_value=now):
                self.assertIs(local.check("on", {"user_id": "1"}), expected)

    def test_a_bootstrap_answers_until_the_server_does(self) -> None:
        local = self.client(NOWHERE, bootstrap={"flags": {"on": on(version=3)}})
        self.assertEqual(local.details("on", False).flag_version, 3)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "flags.json"
            path.write_text('{"flags": [{"key": "on", "variant": "on", "value": true, "flag_version": 9}]}')
            remote = self.client(NOWHERE, evaluation="remote", bootstrap=path)
            self.assertEqual(remote.details("on", False, {"user_id": "1"}).flag_version, 9)
            self.close_clients()
            self.errors.clear()
            bootstraps: list[Any] = [Path(folder) / "none", {"flags": {}}]
            for wrong in bootstraps:
                gateline = self.client(evaluation="remote", bootstrap=wrong)
                self.assertIs(gateline.check("on"), True)
                self.assertEqual(self.codes(), {"copy_unusable"})

    def test_what_cannot_be_kept_is_told(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            gateline = self.client(cache_path=Path(file.name) / "inside")
            self.assertIs(gateline.check("on"), True)
            self.server.until(lambda: bool(self.errors))
            self.assertEqual(self.codes(), {"copy_unusable"})

    def test_a_flag_that_cannot_be_evaluated_here_is_told_with_its_place(self) -> None:
        self.server.change("new", on(sticky=True))
        gateline = self.client()
        self.assertIs(gateline.check("on"), True)
        self.assertEqual(gateline.details("new", False).error, "flag_not_found")
        self.assertEqual([problem.pointer for problem in self.errors[0].problems], ["/flags/new/sticky"])

    def test_a_key_that_may_not_read_definitions_is_told_so(self) -> None:
        self.server.refusals = [Refusal(DEFINITIONS, 403, body=b'{"detail": "This key may not read definitions."}')]
        gateline = self.client(streaming=False, backoff=60.0)
        self.assertIs(gateline.check("on"), False)
        self.assertRegex(str(self.errors[0]), "403: This key may not read definitions")

    def test_options_that_cannot_be_right_are_told(self) -> None:
        wrong: list[tuple[Any, Any]] = [("gateline", KEY), ("ftp://x", KEY), (None, KEY), (self.server.url, ""), ("http://[", KEY)]
        for url, key in wrong:
            self.errors.clear()
            with Gateline(url, key, Options(on_error=self.told)) as gateline:
                self.assertIs(gateline.check("on", default=True), True)
                gateline.flush()
            self.assertEqual(self.codes(), {"options_invalid"})
        self.errors.clear()
        with Gateline(self.server.url, KEY, Options(events_url="events", on_error=self.told)):
            self.assertEqual(self.codes(), {"options_invalid"})

    def test_handlers_and_contexts_that_raise_do_no_harm(self) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("mine")

        class Hostile(dict[str, Any]):
            def items(self) -> Any:
                fail()

            keys = items

        with self.assertLogs("gateline"):
            gateline = self.client(on_error=fail)
            gateline.on_change(fail)
            self.assertIs(gateline.check("on"), True)
            self.server.change("on", on(version=2))
            self.assertIs(gateline.check("on", {"company": Hostile()}), True)

    def test_all_flags_are_said_together(self) -> None:
        for evaluation in self.each():
            found = self.client(evaluation=evaluation).all({"user_id": "1"})
            self.assertEqual(sorted(found), ["colour", "half", "layout", "limit", "on"])
            self.assertEqual(found["half"].assignment_id, "asg_half" if evaluation == "remote" else None)

    def test_the_same_question_of_many_is_asked_of_the_server_once(self) -> None:
        gateline = self.client(evaluation="remote", streaming=False)
        answers: list[bool] = []
        threads = [
            threading.Thread(target=lambda: answers.append(gateline.check("on", {"user_id": "1"}))) for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [True] * 20)
        self.assertEqual(len(self.server.calls(EVALUATE)), 1)

    @unittest.skipUnless(hasattr(os, "fork"), "needs processes that fork")
    def test_a_forked_process_goes_on(self) -> None:
        gateline = self.client(flush=3600.0)
        self.assertIs(gateline.check("on"), True)
        gateline.check("half", {"user_id": "of the parent"})
        child = os.fork()
        if child == 0:
            code = 1
            try:
                gateline.check("half", {"user_id": "of the child"})
                gateline.flush()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        self.assertEqual(status, 0)
        self.assertEqual([told["unit"] for told in self.server.exposures], ["of the child"])
        gateline.flush()
        self.assertEqual([told["unit"] for told in self.server.exposures], ["of the child", "of the parent"])


class Contexts(unittest.TestCase):
    def test_values_are_read_as_flags_read_them(self) -> None:
        class Plan(str, Enum):
            GOLD = "gold"

        moment = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=2)))
        table: list[tuple[Any, Any]] = [
            ("x", "x"),
            (True, True),
            (7, 7),
            (-0.5, -0.5),
            (-0.0, -0.0),
            (2**53 + 1, "9007199254740993"),
            (Plan.GOLD, "gold"),
            (moment, moment.astimezone().isoformat()),
            (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (["a", 1, True, None, 1e21], ["a", "1", "true", "1000000000000000000000"]),
            ((), []),
        ]
        for value, expected in table:
            self.assertEqual(repr(as_json(attributes_of({"a": value}))["a"]), repr(expected))
        for value in (None, float("nan"), float("inf"), b"bytes", object()):
            self.assertEqual(attributes_of({"a": value}), {})
        self.assertEqual(attributes_of({"a": {"b": {"c": 1}}, "d": {}}), {"a.b.c": 1.0})
        self.assertEqual(len(attributes_of({str(number): number for number in range(300)})), 200)


class Exposed(WithServer):
    def test_who_came_into_a_split_is_told_once(self) -> None:
        gateline = self.client(exposure_attributes=["country", "plan"])
        person = {"user_id": 123, "country": "DE", "email": "ann@acme.example"}
        for _ in range(5):
            value = gateline.check("half", person)
        gateline.check("on", {"user_id": "123"})
        gateline.check("half")
        gateline.peek("half", False, {"user_id": "124"})
        gateline.all({"user_id": "124"})
        gateline.details("half", "of another type", {"user_id": "124"})
        gateline.flush()
        [told] = self.server.exposures
        self.assertEqual(UUID(told.pop("id")).version, 4)
        self.assertRegex(told.pop("time"), r"^\d{4}-\d\d-\d\dT.*Z$")
        variant = "on" if value else "off"
        attributes = {"country": "DE"}
        expected = {"flag": "half", "variant": variant, "flag_version": 7, "by": "user_id", "unit": "123"}
        self.assertEqual(told, {**expected, "attributes": attributes})

    def test_the_unit_is_the_attribute_that_decided_whoever_evaluates(self) -> None:
        otherwise = {"split": {"on": 50, "off": 50}, "by": "anonymous_id", "or_by": ["user_id"]}
        self.server.change("across", on(otherwise=otherwise))
        for evaluation in ("remote", "local"):
            gateline = self.client(evaluation=evaluation)
            gateline.check("across", {"anonymous_id": "a-1"})
            gateline.check("across", {"anonymous_id": "a-2", "user_id": "u-2"})
            gateline.check("across", {"anonymous_id": "", "user_id": "u-3"})
            gateline.check("across", {})
            gateline.flush()
            told = [(told["by"], told["unit"]) for told in self.server.exposures]
            expected = [("anonymous_id", "a-1"), ("anonymous_id", "a-2"), ("user_id", "u-3")]
            self.assertEqual(told, expected, evaluation)
            self.server.exposures.clear()

    def test_nobody_without_a_name_is_told(self) -> None:
        gateline = self.client()
        self.assertEqual(gateline.details("half", False, {"user_id": ""}).reason, "split")
        gateline.flush()
        self.assertEqual(self.server.exposures, [])

    def test_exposures_are_sent_in_batches_by_number_and_by_time(self) -> None:
        full = self.client(flush=3600.0, flush_at=3)
        for unit in ("1", "2", "3"):
            full.check("half", {"user_id": unit})
        self.server.until(lambda: len(self.server.exposures) == 3)
        timed = self.client(evaluation="remote", flush=0.001)
        timed.ready({"user_id": "4"})
        timed.expose("half", {"user_id": "4"})
        self.server.until(lambda: len(self.server.exposures) == 4)
        many = self.client(flush=3600.0, flush_at=100_000)
        for number in range(1201):
            many.check("half", {"user_id": f"u{number}"})
        many.flush()
        sizes = [len(asked.body["events"]) for asked in self.server.calls("tracking/events")]
        self.assertEqual(sizes[-3:], [500, 500, 201])

    def test_what_is_not_taken_for_now_is_sent_again_with_the_same_ids(self) -> None:
        self.server.refusals = [Refusal("tracking/events", 503), Refusal("tracking/events", 429, {"Retry-After": "0"})]
        gateline = self.client(flush=0.001)
        gateline.check("half", {"user_id": "1"})
        self.server.until(lambda: len(self.server.exposures) == 1)
        ids = [asked.body["events"][0]["id"] for asked in self.server.calls("tracking/events")]
        self.assertEqual((len(ids), len(set(ids))), (3, 1))
        self.assertEqual([error.status for error in self.errors], [503, 429])

    def test_what_will_never_be_taken_is_dropped_and_told(self) -> None:
        self.server.refusals = [Refusal("tracking/events", 400)]
        gateline = self.client(flush=3600.0)
        gateline.check("half", {"user_id": "1"})
        gateline.flush()
        gateline.flush()
        self.assertEqual([(error.code, error.status) for error in self.errors], [("exposures_dropped", 400)])
        self.assertEqual(len(self.server.calls("tracking/events")), 1)

    def test_the_queue_has_a_bound_and_the_oldest_go_first(self) -> None:
        gateline = self.client(flush=3600.0, flush_at=100_000)
        for unit in range(10_002):
            gateline.check("half", {"user_id": str(unit)})
        gateline.flush()
        self.assertEqual(len(self.server.exposures), 10_000)
        self.assertEqual(self.server.exposures[0]["unit"], "2")
        self.assertEqual(len(self.errors), 2)

    def test_the_end_sends_what_waits(self) -> None:
        gateline = self.client(flush=3600.0)
        gateline.check("half", {"user_id": "1"})
        gateline.close()
        gateline.check("half", {"user_id": "2"})
        gateline.flush()
        self.assertEqual([told["unit"] for told in self.server.exposures], ["1"])

    def test_all_or_none_are_told_if_that_is_wanted(self) -> None:
        everything, nothing = self.client(exposures="all"), self.client(exposures="none")
        for gateline in (everything, nothing):
            gateline.check("on", {"user_id": "1"})
            gateline.check("half", {"user_id": "1"})
            gateline.flush()
        self.assertEqual(sorted(told["flag"] for told in self.server.exposures), ["half", "on"])


if __name__ == "__main__":
    unittest.main()
