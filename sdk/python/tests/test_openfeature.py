"""The provider, asked through OpenFeature's own SDK."""

import asyncio
import threading
from typing import Any

from fake_server import KEY, Refusal, half, on
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails
from with_server import CHANGES, DEFINITIONS, WithServer

from gateline import Options
from gateline.openfeature import GatelineProvider


def told(details: FlagEvaluationDetails[Any]) -> tuple[Any, ...]:
    return details.value, details.variant, details.reason, details.error_code


class Provider(WithServer):
    def setUp(self) -> None:
        super().setUp()
        staff = {"name": "staff", "when": {"attribute": "email", "op": "ends_with", "values": ["@acme.example"]}, "serve": "on"}
        tester = {"when": {"attribute": "targetingKey", "op": "in", "values": ["tester"]}, "serve": "on"}
        self.server.change("staff", on(rules=[staff, tester], otherwise={"serve": "off"}, version=3))
        self.server.change("needs", on(prerequisites=[{"flag": "staff", "variants": ["on"]}]))
        self.server.change("off", on(enabled=False))
        self.server.change("logic", on(rules=[{"logic": {"if": [{"+": [{"var": "plan"}, 1]}, "on"]}}]))
        self.addCleanup(api.clear_providers)

    def start(self) -> Any:
        api.set_provider_and_wait(GatelineProvider(self.server.url, KEY, Options(backoff=0.001, on_error=self.told)))
        return api.get_client()

    def test_values_reasons_and_errors_are_those_of_openfeature(self) -> None:
        client = self.start()
        person = EvaluationContext(attributes={"email": "ann@acme.example"})
        staff = client.get_boolean_details("staff", False, person)
        self.assertEqual(told(staff), (True, "on", "TARGETING_MATCH", None))
        self.assertEqual(staff.flag_metadata, {"flagVersion": 3, "rule": "staff"})
        self.assertEqual(told(client.get_boolean_details("staff", True)), (False, "off", "DEFAULT", None))
        tester = EvaluationContext(targeting_key="tester")
        self.assertEqual(told(client.get_boolean_details("staff", False, tester))[0], True)
        self.assertEqual(told(client.get_string_details("colour", "")), ("#f00", "red", "STATIC", None))
        self.assertEqual(told(client.get_integer_details("limit", 1)), (10, "small", "DEFAULT", None))
        gold = EvaluationContext(attributes={"company": {"plan": "gold"}})
        self.assertEqual(told(client.get_float_details("limit", 1.5, gold))[:2], (2.5, "exact"))
        self.assertEqual(client.get_integer_details("limit", 1, gold).error_code, ErrorCode.TYPE_MISMATCH)
        self.assertEqual(told(client.get_object_details("layout", {})), ({"columns": 3}, "wide", "STATIC", None))
        self.assertEqual(told(client.get_boolean_details("off", True)), (False, "off", "DISABLED", None))
        needs = client.get_boolean_details("needs", True)
        self.assertEqual((told(needs), needs.flag_metadata["reason"]), ((False, "off", "DISABLED", None), "prerequisite_failed"))
        logic = client.get_boolean_details("logic", False, EvaluationContext(attributes={"plan": 1}))
        self.assertEqual(told(logic), (True, "on", "TARGETING_MATCH", None))
        # As the server says it: logic that goes wrong gives the variant of `off`, and not the default.
        wrong = client.get_boolean_details("logic", True, EvaluationContext(attributes={"plan": "gold"}))
        self.assertEqual((told(wrong), wrong.flag_metadata["rule"]), ((False, "off", "ERROR", None), "#1"))
        missing = client.get_boolean_details("none", True)
        self.assertEqual(told(missing), (True, None, "ERROR", ErrorCode.FLAG_NOT_FOUND))
        self.assertEqual(client.get_boolean_details("colour", True).error_code, ErrorCode.TYPE_MISMATCH)

    def test_it_answers_in_a_loop_as_well(self) -> None:
        client = self.start()

        async def ask() -> tuple[Any, ...]:
            return (
                await client.get_boolean_value_async("off", True),
                await client.get_string_value_async("colour", ""),
                await client.get_integer_value_async("limit", 1),
                await client.get_float_value_async("limit", 1.0),
                await client.get_object_value_async("layout", {}),
            )

        self.assertEqual(asyncio.run(ask()), (False, "#f00", 10, 10.0, {"columns": 3}))

    def test_the_targeting_key_is_the_unit_unless_there_is_another(self) -> None:
        client = self.start()
        for user in range(20):
            unit = f"user-{user}"
            one = client.get_boolean_details("half", False, EvaluationContext(unit))
            other = client.get_boolean_details("half", False, EvaluationContext("x", {"user_id": unit}))
            self.assertEqual((one.reason, other.value), ("SPLIT", one.value))
        self.assertEqual(client.get_boolean_details("half", True).flag_metadata["reason"], "unit_missing")
        api.clear_providers()
        self.assertEqual(len({told["unit"] for told in self.server.exposures}), 20)

    def test_changes_are_events(self) -> None:
        client = self.start()
        heard = threading.Event()
        changed: list[EventDetails] = []

        def on_change(details: EventDetails) -> None:
            changed.append(details)
            heard.set()

        client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, on_change)
        self.server.until(lambda: len(self.server.calls(CHANGES)) > 0)
        self.server.change("half", half(enabled=False))
        self.assertTrue(heard.wait(20))
        self.assertEqual(changed[0].flags_changed, ["half"])
        client.remove_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, on_change)

    def test_a_provider_that_cannot_answer_becomes_ready(self) -> None:
        self.server.refusals = [Refusal(DEFINITIONS, 503)]
        self.server.has_stream = False
        gateline = self.client(poll=0.0, streaming=False, backoff=0.2)
        provider = GatelineProvider(gateline)
        ready = threading.Event()
        api.set_provider(provider)
        api.add_handler(ProviderEvent.PROVIDER_READY, lambda _: ready.set())
        self.assertTrue(ready.wait(20))
        self.assertEqual(api.get_client().get_string_value("colour", ""), "#f00")
        api.clear_providers()
        self.assertEqual(gateline.string("colour", ""), "#f00", "a client that was given goes on")


if __name__ == "__main__":
    import unittest

    unittest.main()
