/** The client against a little server: both ways to evaluate, changes, starts without the server, errors. */

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { Gateline, type GatelineError, type Options } from "../src/index.js";
import { fileCache, readBootstrap } from "../src/node.js";
import { FakeServer, half, KEY, on } from "./fake-server.js";

const DEFINITIONS = "feature-flags/definitions";
const EVALUATE = "feature-flags/evaluate";
const CHANGES = "feature-flags/changes";
const colour = { type: "string", version: 4, variants: { blue: "#00f", red: "#f00" }, off: "blue" };

let server: FakeServer;
let errors: GatelineError[];
const clients: Gateline<any>[] = [];

beforeEach(async () => {
  server = await FakeServer.start({
    on: on(),
    half: half({ version: 7 }),
    staff: on({ rules: [{ name: "staff", when: { attribute: "email", op: "ends_with", values: ["@acme.example"] }, serve: "on" }], otherwise: { serve: "off" } }),
    colour: { ...colour, otherwise: { serve: "red" } },
    limit: { type: "number", variants: { small: 10, large: 1000 }, off: "small", otherwise: { serve: "small" } },
    layout: { type: "json", variants: { wide: { columns: 3 }, none: null }, off: "none", otherwise: { serve: "wide" } },
  });
  errors = [];
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await server.stop();
});

function client<F extends object = Record<string, any>>(options: Partial<Options> = {}): Gateline<F> {
  const made = new Gateline<F>({
    url: server.url,
    key: KEY,
    backoffMs: 1,
    onError: (error) => errors.push(error),
    ...options,
  });
  clients.push(made);
  return made;
}

function codes(): string[] {
  return [...new Set(errors.map((error) => error.code))].sort();
}

for (const evaluation of ["local", "remote"] as const) {
  test(`${evaluation}: one line says whether a flag is on`, async () => {
    const gateline = client({ evaluation });
    assert.equal(await gateline.check("on", { userId: "123" }), true);
    assert.equal(await gateline.check("staff", { email: "ann@acme.example" }), true);
    assert.equal(await gateline.check("staff", { email: "ann@other.example" }), false);
    assert.equal(await gateline.check("colour", {}), true);
    assert.equal(await gateline.check("none", {}), false);
    assert.equal(await gateline.check("none", {}, true), true);
    assert.ok(server.asked.every((asked) => asked.key === KEY));
    assert.deepEqual(errors, []);
  });

  test(`${evaluation}: values have types, and details say why`, async () => {
    const gateline = client<{ colour: "#00f" | "#f00"; limit: number; layout: object | null }>({ evaluation });
    const value: "#00f" | "#f00" = await gateline.string("colour", "#00f", { userId: "1" });
    assert.equal(value, "#f00");
    assert.equal(await gateline.number("limit", 1), 10);
    assert.deepEqual(await gateline.json("layout", null), { columns: 3 });
    const details = await gateline.details("colour", "#00f");
    assert.deepEqual(
      { ...details, assignmentId: null },
      {
        key: "colour",
        value: "#f00",
        enabled: true,
        variant: "red",
        reason: "static",
        rule: null,
        flagVersion: 4,
        assignmentId: null,
      },
    );
    const other = await gateline.details("colour", 7);
    assert.deepEqual([other.value, other.reason, other.error], [7, "error", "type_mismatch"]);
    const missing = await client({ evaluation }).details("missing", "x");
    assert.deepEqual([missing.value, missing.error, missing.variant], ["x", "flag_not_found", null]);
  });

  test(`${evaluation}: what is known of everybody is added, and camelCase is read`, async () => {
    const gateline = client({ evaluation, context: { userId: "a", company: { planName: "gold" } } });
    server.definitions.flags["gold"] = on({
      rules: [{ when: { attribute: "company.plan_name", op: "in", values: ["gold"] }, split: { on: 100 }, by: "user_id" }],
      otherwise: { serve: "off" },
    });
    assert.equal(await gateline.check("gold"), true);
    assert.equal(await gateline.check("gold", { company: { planName: "free" } }), false);
    await gateline.identify({ userId: "b" });
    assert.equal(gateline.peek("gold", false).value, false);
  });

  test(`${evaluation}: a change is heard of`, async () => {
    const gateline = client({ evaluation });
    assert.equal(await gateline.check("on", { userId: "1" }), true);
    const changed = new Promise<readonly string[]>((resolve) => {
      gateline.onChange((keys) => keys.length === 1 && resolve(keys));
    });
    await server.until(() => server.calls(CHANGES).length > 0);
    server.change("on", on({ enabled: false, version: 2 }));
    assert.deepEqual(await changed, ["on"]);
    assert.equal(await gateline.check("on", { userId: "1" }), false);
    assert.equal((await gateline.details("on", true, { userId: "1" })).flagVersion, 2);
  });

  test(`${evaluation}: a stream that breaks off is renewed`, async () => {
    const gateline = client({ evaluation });
    assert.equal(await gateline.check("on", { userId: "1" }), true);
    await server.until(() => server.calls(CHANGES).length === 1);
    const changed = new Promise<void>((resolve) => gateline.onChange(() => resolve()));
    server.breakStreams();
    server.definitions.flags["on"] = on({ enabled: false });
    await server.until(() => server.calls(CHANGES).length > 1);
    await changed;
    assert.equal(await gateline.check("on", { userId: "1" }), false);
  });

  test(`${evaluation}: without a stream it is asked again and again, with the tag of the last answer`, async () => {
    server.hasStream = false;
    const gateline = client({ evaluation, pollMs: 1 });
    const path = evaluation === "local" ? DEFINITIONS : EVALUATE;
    assert.equal(await gateline.check("on", { userId: "1" }), true);
    await server.until(() => server.calls(path).length > 1);
    assert.notEqual(server.calls(path).at(-1)?.etag, undefined);
    const changed = new Promise<void>((resolve) => gateline.onChange(() => resolve()));
    server.change("on", on({ enabled: false }));
    await changed;
    assert.equal(gateline.peek("on", true, { userId: "1" }).value, false);
  });

  test(`${evaluation}: what was kept answers without the server`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "gateline-"));
    try {
      const cache = fileCache(join(folder, "deep", "flags.json"));
      const context = { userId: "ann@acme.example" };
      assert.equal(await client({ evaluation, cache }).check("half", context), true);
      await Promise.all(clients.map((one) => one.close()));
      await server.until(() => true);
      const path = join(folder, "deep", "flags.json");
      await written(path);
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      const text = await readFile(path, "utf8");
      assert.ok(!text.includes(KEY) && !text.includes("ann@acme"), "neither key nor person");
      const away = client({ evaluation, cache, url: "http://127.0.0.1:1" });
      assert.equal(await away.ready(context), true);
      assert.equal((await away.details("half", false, context)).reason, "split");
      assert.equal(await away.check("half", context), true);
      assert.deepEqual(codes(), ["unreachable"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test(`${evaluation}: without a server the default is given at once, and why is told`, async () => {
    const gateline = client({ evaluation, url: "http://127.0.0.1:1" });
    assert.equal(await gateline.ready(), false);
    assert.equal(await gateline.check("on", {}, true), true);
    const details = await gateline.details("on", false);
    assert.deepEqual([details.value, details.reason, details.error], [false, "error", "not_ready"]);
    assert.deepEqual(await gateline.all(), {});
    assert.deepEqual(codes(), ["unreachable"]);
  });

  test(`${evaluation}: a server that says nothing is not waited for again and again`, async () => {
    const refusal = { status: 503, headers: { "Retry-After": "60" } };
    const path = evaluation === "local" ? DEFINITIONS : EVALUATE;
    server.refusals.push([path, refusal], [path, refusal], [path, refusal]);
    const gateline = client({ evaluation, streaming: false });
    for (let time = 0; time < 20; time++) {
      assert.equal(await gateline.check("on", {}), false);
    }
    assert.equal(server.calls(path).length, 1);
    assert.deepEqual(
      errors.map(({ code, status, retryAfterMs }) => [code, status, retryAfterMs]),
      [["refused", 503, 60_000]],
    );
  });

  test(`${evaluation}: answers of any form do no harm`, async () => {
    const path = evaluation === "local" ? DEFINITIONS : EVALUATE;
    for (const body of ["<html>", "null", "[]", '{"flags": 7}', '"x"', ""]) {
      errors = [];
      server.refusals.push([path, { status: 200, body }]);
      assert.equal(await client({ evaluation, streaming: false }).check("on", {}), false);
      assert.deepEqual(codes(), ["answer_invalid"], body);
    }
  });
}

/** Waits for a file to be there with something in it. */
async function written(path: string): Promise<void> {
  for (;;) {
    const found = await stat(path).catch(() => undefined);
    if (found && found.size > 0) {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a share grows without a word of the server", async ({ mock }) => {
  const steps = [{ at: "2026-12-01T00:00:00Z", percent: 100 }];
  const otherwise = { rollout: { serve: "on", others: "off", steps }, by: "user_id" };
  const local = client({ evaluation: "local", bootstrap: { flags: { on: on({ otherwise }) } }, url: "http://127.0.0.1:1" });
  mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-11-30T23:59:59.999Z") });
  assert.equal(await local.check("on", { userId: "1" }), false);
  mock.timers.tick(1);
  assert.equal(await local.check("on", { userId: "1" }), true);
});

test("a bootstrap answers until the server does", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gateline-"));
  try {
    const path = join(folder, "flags.json");
    await fileCache(path).write(JSON.stringify({ flags: { on: on({ version: 3 }) } }));
    const local = client({ evaluation: "local", bootstrap: readBootstrap(path), url: "http://127.0.0.1:1" });
    assert.equal((await local.details("on", false)).flagVersion, 3);
    const flags = [{ key: "on", variant: "on", value: true, enabled: true, reason: "static", rule: null, flag_version: 9, assignment_id: null }];
    const remote = client({ evaluation: "remote", bootstrap: { flags }, url: "http://127.0.0.1:1" });
    assert.equal((await remote.details("on", false, { userId: "1" })).flagVersion, 9);
    await Promise.all(clients.map((one) => one.close()));
    errors = [];
    const wrong = client({ evaluation: "remote", bootstrap: { flags: {} } });
    assert.equal(await wrong.check("on", {}), true);
    assert.deepEqual(codes(), ["copy_unusable"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("what was kept and cannot be read is told, and no more", async () => {
  const cache = { read: () => "{", write: () => Promise.reject(new Error("full")) };
  assert.equal(await client({ cache, streaming: false }).check("on", {}), true);
  await server.until(() => errors.length > 1);
  assert.deepEqual(codes(), ["copy_unusable"]);
});

test("a flag that cannot be evaluated here is told with its place, and others are answered", async () => {
  server.definitions.flags["new"] = on({ sticky: true });
  const gateline = client();
  assert.equal(await gateline.check("on", {}), true);
  assert.equal((await gateline.details("new", false)).error, "flag_not_found");
  assert.deepEqual(errors[0]?.problems?.map(({ pointer }) => pointer), ["/flags/new/sticky"]);
});

test("a key that may not read definitions is told so", async () => {
  const body = JSON.stringify({ detail: "This key may not read definitions." });
  server.refusals.push([DEFINITIONS, { status: 403, body }]);
  assert.equal(await client({ streaming: false }).check("on", {}), false);
  assert.match(errors[0]?.message ?? "", /403: This key may not read definitions/);
});

test("options that cannot be right are told, not thrown", async () => {
  for (const options of [{ url: "gateline" }, { url: "ftp://x" }, { eventsUrl: "events" }, { key: "" }, { key: undefined as unknown as string }]) {
    errors = [];
    const gateline = client(options);
    assert.equal(await gateline.check("on", {}, true), true);
    await gateline.flush();
    assert.deepEqual(codes(), ["options_invalid"]);
  }
});

test("listeners and error handlers that throw do no harm", async () => {
  const gateline = client({
    onError: () => {
      throw new Error("mine");
    },
  });
  gateline.onChange(() => {
    throw new Error("mine");
  });
  assert.equal(await gateline.check("on", {}), true);
  const hostile = { get userId(): string { throw new Error("mine"); } };
  assert.equal(await gateline.check("on", hostile), true);
});

test("the compiler knows which flags there are, and their values", async () => {
  const gateline = client<{ on: boolean; colour: "#00f" | "#f00" }>();
  const colour: "#00f" | "#f00" = await gateline.string("colour", "#00f");
  assert.equal(colour, "#f00");
  // @ts-expect-error There is no such flag.
  assert.equal(await gateline.check("of"), false);
  // @ts-expect-error It is no text.
  assert.equal(await gateline.string("on", "x"), "x");
  // @ts-expect-error It has no such value.
  assert.equal(await gateline.string("colour", "#0f0"), "#f00");
  const anything: string = await client().string("colour", "");
  assert.equal(anything, "#f00");
});

test("all flags are said together", async () => {
  const all = await client({ evaluation: "remote" }).all({ userId: "1" });
  assert.deepEqual(Object.keys(all).sort(), ["colour", "half", "layout", "limit", "on", "staff"]);
  assert.equal(all["half"]?.assignmentId, "asg_half");
});

test("the same question of many is asked of the server once", async () => {
  const gateline = client({ evaluation: "remote" });
  const answers = await Promise.all(Array.from({ length: 50 }, () => gateline.check("on", { userId: "1" })));
  assert.ok(answers.every(Boolean));
  assert.equal(server.calls(EVALUATE).length, 1);
});
