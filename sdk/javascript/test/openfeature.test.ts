/** The providers, asked through OpenFeature's own SDKs. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ErrorCode, type EvaluationDetails, type FlagValue } from "@openfeature/core";
import { OpenFeature as OnServer, ProviderEvents as ServerEvents } from "@openfeature/server-sdk";
import { OpenFeature as OnPage, ProviderEvents as PageEvents } from "@openfeature/web-sdk";

import { Gateline } from "../src/index.js";
import { GatelineProvider as ServerProvider } from "../src/openfeature/server.js";
import { GatelineProvider as PageProvider } from "../src/openfeature/web.js";
import { FakeServer, half, KEY, on } from "./fake-server.js";

const rules = [
  { name: "staff", when: { attribute: "email", op: "ends_with", values: ["@acme.example"] }, serve: "on" },
  { when: { attribute: "targetingKey", op: "in", values: ["tester"] }, serve: "on" },
];
let server: FakeServer;

beforeEach(async () => {
  server = await FakeServer.start({
    staff: on({ rules, otherwise: { serve: "off" }, version: 3 }),
    half: half(),
    colour: { type: "string", variants: { red: "#f00" }, off: "red", enabled: false, otherwise: { serve: "red" } },
    limit: { type: "number", variants: { exact: 2.5 }, off: "exact", otherwise: { serve: "exact" } },
    layout: { type: "json", variants: { wide: { columns: 3 } }, off: "wide", otherwise: { serve: "wide" } },
    needs: on({ prerequisites: [{ flag: "staff", variants: ["on"] }] }),
    logic: on({ rules: [{ logic: { if: [{ "+": [{ var: "plan" }, 1] }, "on"] } }] }),
  });
});

afterEach(async () => {
  await OnServer.clearProviders();
  await OnPage.clearProviders();
  await server.stop();
});

const options = (): { url: string; key: string; backoffMs: number; onError: () => void } => ({
  url: server.url,
  key: KEY,
  backoffMs: 1,
  onError: () => undefined,
});

/** What matters of an answer. */
function told<T extends FlagValue>({ value, variant, reason, errorCode }: EvaluationDetails<T>): unknown[] {
  return [value, variant, reason, errorCode];
}

test("on servers: values, reasons and errors are OpenFeature's", async () => {
  await OnServer.setProviderAndWait(new ServerProvider(options()));
  const client = OnServer.getClient();
  const staff = await client.getBooleanDetails("staff", false, { email: "ann@acme.example" });
  assert.deepEqual(told(staff), [true, "on", "TARGETING_MATCH", undefined]);
  assert.deepEqual(staff.flagMetadata, { flagVersion: 3, rule: "staff" });
  assert.deepEqual(told(await client.getBooleanDetails("staff", true, {})), [false, "off", "DEFAULT", undefined]);
  const byKey = await client.getBooleanDetails("staff", false, { targetingKey: "tester" });
  assert.deepEqual(told(byKey), [true, "on", "TARGETING_MATCH", undefined]);
  assert.deepEqual(told(await client.getStringDetails("colour", "")), ["#f00", "red", "DISABLED", undefined]);
  assert.deepEqual(told(await client.getNumberDetails("limit", 1)), [2.5, "exact", "STATIC", undefined]);
  assert.deepEqual(told(await client.getObjectDetails("layout", {})), [{ columns: 3 }, "wide", "STATIC", undefined]);
  const needs = await client.getBooleanDetails("needs", true);
  assert.deepEqual(told(needs), [false, "off", "DISABLED", undefined]);
  assert.equal(needs.flagMetadata["reason"], "prerequisite_failed");
  assert.deepEqual(told(await client.getBooleanDetails("logic", false, { plan: 1 })), [true, "on", "TARGETING_MATCH", undefined]);
  // As the server says it: logic that goes wrong gives the variant of `off`, and not the default.
  const wrong = await client.getBooleanDetails("logic", true, { plan: "gold" });
  assert.deepEqual([told(wrong), wrong.flagMetadata["rule"]], [[false, "off", "ERROR", undefined], "#1"]);
  const missing = await client.getBooleanDetails("none", true);
  assert.deepEqual(told(missing), [true, undefined, "ERROR", ErrorCode.FLAG_NOT_FOUND]);
  const other = await client.getBooleanDetails("colour", true);
  assert.deepEqual(told(other), [true, undefined, "ERROR", ErrorCode.TYPE_MISMATCH]);
});

test("on servers: the targeting key is the unit, unless there is another", async () => {
  await OnServer.setProviderAndWait(new ServerProvider(options()));
  const client = OnServer.getClient();
  for (let user = 0; user < 20; user++) {
    const unit = `user-${user}`;
    const one = await client.getBooleanDetails("half", false, { targetingKey: unit });
    const other = await client.getBooleanDetails("half", false, { targetingKey: "x", user_id: unit });
    const camel = await client.getBooleanDetails("half", false, { targetingKey: "x", userId: unit });
    assert.equal(one.reason, "SPLIT");
    assert.deepEqual([other.value, camel.value], [one.value, one.value]);
  }
  assert.equal((await client.getBooleanDetails("half", true, {})).flagMetadata["reason"], "unit_missing");
  await OnServer.clearProviders();
  assert.equal(new Set(server.exposures.map(({ unit }) => unit)).size, 20);
});

test("on servers: changes are events", async () => {
  await OnServer.setProviderAndWait(new ServerProvider(options()));
  const client = OnServer.getClient();
  const changed = new Promise((resolve) => {
    client.addHandler(ServerEvents.ConfigurationChanged, (details) => resolve(details?.flagsChanged));
  });
  await server.until(() => server.calls("feature-flags/changes").length > 0);
  server.change("limit", { variants: { little: 1 }, off: "little", otherwise: { serve: "little" } });
  assert.deepEqual(await changed, ["limit"]);
  assert.equal(await client.getNumberValue("limit", 0), 1);
});

test("on servers: a provider that cannot answer is in error, and becomes ready", async () => {
  server.refusals.push(["feature-flags/definitions", { status: 503 }]);
  server.hasStream = false;
  const client = new Gateline({ ...options(), pollMs: 1, streaming: false });
  await assert.rejects(OnServer.setProviderAndWait(new ServerProvider(client)));
  const ready = new Promise<void>((resolve) => {
    OnServer.getClient().addHandler(ServerEvents.Ready, () => resolve());
  });
  await ready;
  assert.equal(await OnServer.getClient().getNumberValue("limit", 0), 2.5);
  await OnServer.clearProviders();
  assert.equal(await client.number("limit", 0), 2.5, "a client that was given goes on");
  await client.close();
});

test("in pages: answers come at once, of the context that was set", async () => {
  await OnPage.setContext({ targetingKey: "user-1", email: "ann@acme.example" });
  await OnPage.setProviderAndWait(new PageProvider(options()));
  const client = OnPage.getClient();
  assert.deepEqual(told(client.getBooleanDetails("staff", false)), [true, "on", "TARGETING_MATCH", undefined]);
  assert.equal(client.getBooleanDetails("staff", false).flagMetadata["assignmentId"], "asg_staff");
  assert.deepEqual(told(client.getObjectDetails("layout", {})), [{ columns: 3 }, "wide", "STATIC", undefined]);
  assert.equal(client.getBooleanDetails("half", false).reason, "SPLIT");
  const missing = client.getBooleanDetails("none", true);
  assert.deepEqual(told(missing), [true, undefined, "ERROR", ErrorCode.FLAG_NOT_FOUND]);
  await OnPage.setContext({ targetingKey: "user-2" });
  assert.deepEqual(told(client.getBooleanDetails("staff", true)), [false, "off", "DEFAULT", undefined]);
  client.getBooleanValue("half", false);
  await OnPage.clearProviders();
  assert.deepEqual(server.exposures.map(({ unit }) => unit).sort(), ["user-1", "user-2"]);
});

test("in pages: changes are events", async () => {
  await OnPage.setContext({ targetingKey: "user-1" });
  await OnPage.setProviderAndWait(new PageProvider(options()));
  const client = OnPage.getClient();
  const changed = new Promise((resolve) => {
    client.addHandler(PageEvents.ConfigurationChanged, (details) => resolve(details?.flagsChanged));
  });
  await server.until(() => server.calls("feature-flags/changes").length > 0);
  server.change("limit", { variants: { little: 1 }, off: "little", otherwise: { serve: "little" } });
  assert.deepEqual(await changed, ["limit"]);
  assert.equal(client.getNumberValue("limit", 0), 1);
});
