/** Exposures: what is told, once, in batches, and in spite of a server that is not there for a while. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import type { GatelineError } from "../src/errors.js";
import { type Exposure, Exposures } from "../src/exposures.js";
import { Gateline, type Options } from "../src/index.js";
import { Transport } from "../src/transport.js";
import { FakeServer, half, KEY, on } from "./fake-server.js";

let server: FakeServer;
let errors: GatelineError[];
const clients: Gateline[] = [];

beforeEach(async () => {
  server = await FakeServer.start({ half: half({ version: 7 }), on: on() });
  errors = [];
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await server.stop();
});

function client(options: Partial<Options> = {}): Gateline {
  const onError = (error: GatelineError): number => errors.push(error);
  const made = new Gateline({ url: server.url, key: KEY, backoffMs: 1, streaming: false, onError, ...options });
  clients.push(made);
  return made;
}

function queue(more: object = {}): Exposures {
  const options = { flushMs: 60_000, flushAt: 100_000, windowMs: 60_000, backoffMs: 1, ...more };
  return new Exposures(new Transport(server.url, KEY, 1000), options, (error) => errors.push(error));
}

const exposure = (unit: string): Exposure => ({
  flag: "half",
  variant: "on",
  flag_version: 1,
  by: "user_id",
  unit,
});

test("who came into a split is told once, with what was asked for", async () => {
  const gateline = client({ exposureAttributes: ["country", "plan"] });
  for (let time = 0; time < 5; time++) {
    await gateline.check("half", { userId: 123, country: "DE", email: "ann@acme.example" });
  }
  await gateline.check("on", { userId: "123" });
  await gateline.check("half", {});
  gateline.peek("half", false, { userId: "124" });
  await gateline.all({ userId: "124" });
  await gateline.details("half", "of another type", { userId: "124" });
  await gateline.flush();
  const [told, ...others] = server.exposures as unknown as Record<string, unknown>[];
  assert.deepEqual(others, []);
  const { id, time, ...rest } = told ?? {};
  assert.match(String(id), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.match(String(time), /^[0-9]{4}-.*Z$/);
  const { variant } = await gateline.details("half", false, { userId: 123 });
  const expected = { flag: "half", variant, flag_version: 7, by: "user_id", unit: "123" };
  assert.deepEqual(rest, { ...expected, attributes: { country: "DE" } });
});

test("other units, and what is exposed by hand, are told as well", async () => {
  const gateline = client({ evaluation: "remote" });
  for (const userId of ["1", "2", "3"]) {
    await gateline.check("half", { userId });
  }
  await gateline.ready({ userId: "4" });
  gateline.expose("half", { userId: "4" });
  await gateline.flush();
  assert.deepEqual(server.exposures.map(({ unit }) => unit).sort(), ["1", "2", "3", "4"]);
});

test("the unit is the attribute that decided, whoever evaluates", async () => {
  const otherwise = { split: { on: 50, off: 50 }, by: "anonymous_id", or_by: ["user_id"] };
  server.change("across", on({ otherwise }));
  for (const evaluation of ["remote", "local"] as const) {
    const gateline = client({ evaluation });
    await gateline.check("across", { anonymousId: "a-1" });
    await gateline.check("across", { anonymousId: "a-2", userId: "u-2" });
    await gateline.check("across", { anonymousId: "", userId: "u-3" });
    await gateline.check("across", {});
    await gateline.flush();
    const told = server.exposures.splice(0).map(({ by, unit }) => [by, unit]);
    assert.deepEqual(told, [["anonymous_id", "a-1"], ["anonymous_id", "a-2"], ["user_id", "u-3"]], evaluation);
  }
});

test("nobody without a name is told", async () => {
  const gateline = client();
  assert.equal((await gateline.details("half", false, { userId: "" })).reason, "split");
  await gateline.flush();
  assert.deepEqual(server.exposures, []);
});

test("all flags are told if that is wanted, or none", async () => {
  const all = client({ exposures: "all" });
  await all.check("on", { userId: "1" });
  await all.flush();
  assert.equal(server.exposures.length, 1);
  const none = client({ exposures: "none" });
  await none.check("half", { userId: "1" });
  await none.flush();
  assert.equal(server.exposures.length, 1);
});

test("a full batch is sent without waiting, and others after a time", async () => {
  const full = queue({ flushAt: 3 });
  ["1", "2", "3"].forEach((unit) => full.add(exposure(unit)));
  await server.until(() => server.exposures.length === 3);
  const timed = queue({ flushMs: 1 });
  timed.add(exposure("4"));
  await server.until(() => server.exposures.length === 4);
});

test("more than the server takes at once goes in several calls", async () => {
  const many = queue();
  for (let unit = 0; unit < 1201; unit++) {
    many.add(exposure(String(unit)));
  }
  await many.flush();
  const sizes = server.calls("tracking/events").map(({ body }) => (body as { events: unknown[] }).events.length);
  assert.deepEqual(sizes, [500, 500, 201]);
});

test("what the server does not take for now is sent again, with the same ids", async () => {
  server.refusals.push(["tracking/events", { status: 503 }], ["tracking/events", { status: 429, headers: { "Retry-After": "0" } }]);
  const patient = queue();
  patient.add(exposure("1"));
  await patient.flush();
  await server.until(() => server.exposures.length === 1);
  const ids = server.calls("tracking/events").map(({ body }) => (body as { events: { id: string }[] }).events[0]?.id);
  assert.equal(ids.length, 3);
  assert.equal(new Set(ids).size, 1);
  assert.deepEqual(errors.map(({ status }) => status), [503, 429]);
});

test("what the server will never take is dropped and told", async () => {
  server.refusals.push(["tracking/events", { status: 400, body: '{"detail": "no"}' }]);
  const dropped = queue();
  dropped.add(exposure("1"));
  await dropped.flush();
  assert.deepEqual(errors.map(({ code, status }) => [code, status]), [["exposures_dropped", 400]]);
  await dropped.flush();
  assert.equal(server.calls("tracking/events").length, 1);
});

test("the queue has a bound, and the oldest go first", async () => {
  const long = queue();
  for (let unit = 0; unit < 10_002; unit++) {
    long.add(exposure(String(unit)));
  }
  await long.flush();
  assert.equal(server.exposures.length, 10_000);
  assert.equal(server.exposures[0]?.unit, "2");
  assert.equal(errors.length, 2);
});

test("what waits when a page is hidden is sent in small calls", async () => {
  const hidden = queue();
  for (let unit = 0; unit < 150; unit++) {
    hidden.add(exposure(String(unit)));
  }
  hidden.flushBeforeHiding();
  await server.until(() => server.exposures.length === 150);
  assert.equal(server.calls("tracking/events").length, 2);
});

test("the end sends what waits, and takes in no more", async () => {
  const ended = queue();
  ended.add(exposure("1"));
  await ended.close();
  ended.add(exposure("2"));
  await ended.flush();
  assert.deepEqual(server.exposures.map(({ unit }) => unit), ["1"]);
});
