import { expect, test } from "@playwright/test";
import { eventsIn } from "../../api-client/src/events";
import { beginsOf, change, timeOf } from "../../ui/src/analytics";
import { changes } from "../../ui/src/diff";
import { expiryOf, momentOf } from "../../ui/src/expiry";
import { figure } from "../../ui/src/figure";
import { ago, bytes, duration, nameOf, price, quota, rate, share } from "../../ui/src/format";
import { sampleCall } from "../../ui/src/sample";
import { languages, snippet } from "../../ui/src/snippets";
import { bars, grouped, since, total } from "../../ui/src/usage";

test("numbers are written as people read them", () => {
  expect([bytes(999), bytes(1000), bytes(12_345_678)]).toEqual(["999 B", "1.0 kB", "12.3 MB"]);
  expect([duration(320), duration(4200), duration(42_000), duration(1_300_000)]).toEqual(["320 µs", "4.2 ms", "42 ms", "1.30 s"]);
  expect([share(0, 0), share(0, 5), share(1, 300), share(1, 2)]).toEqual(["–", "0 %", "0.3 %", "50 %"]);
  expect([rate(null), rate({ requests: 1000, window_seconds: 60 }), rate({ requests: 5, window_seconds: 90 })]).toEqual([
    "No limit",
    "1,000 per minute",
    "5 per 90 seconds",
  ]);
  expect(quota({ requests: 1_000_000, period: "month" })).toBe("1,000,000 per month");
  expect([price(null), price({ amount_minor: 4900, currency: "EUR" }), price({ amount_minor: 500, currency: "JPY" })]).toEqual([
    "Free",
    "€49.00 per month",
    "¥500 per month",
  ]);
  expect(nameOf("Pet Store (v2)")).toBe("pet-store-v2");
  const now = Date.parse("2026-11-20T12:00:00Z");
  expect([ago("2026-11-20T11:59:30Z", now), ago("2026-11-20T11:55:00Z", now), ago("2026-11-19T12:00:00Z", now)]).toEqual([
    "just now",
    "5 minutes ago",
    "yesterday",
  ]);
});

test("snippets carry key and address whatever they hold", () => {
  const call = { method: "POST", url: "http://127.0.0.1:8080/it's?a=1&b=2", key: "gl_sandbox_x" };
  expect(snippet("curl", call)).toContain(`'http://127.0.0.1:8080/it'\\''s?a=1&b=2'`);
  for (const language of languages) {
    expect(snippet(language, call)).toContain("gl_sandbox_x");
    expect(snippet(language, call)).toContain("POST");
  }
});

test("the first call is a GET that needs the least, filled in", () => {
  const parameter = { name: "id", in: "path", required: true, schema: { $ref: "#/components/schemas/Id" } };
  const document = {
    components: { schemas: { Id: { type: "integer", examples: [7] } } },
    paths: {
      "/pets": { post: {} },
      "/pets/{id}": { parameters: [parameter], get: { parameters: [{ name: "q", in: "query", required: true, schema: { enum: ["a b"] } }] } },
    },
  };
  expect(sampleCall(document)).toEqual({ method: "GET", path: "/pets/7?q=a+b" });
  expect(sampleCall({ ...document, paths: { "/pets": document.paths["/pets"] } })).toEqual({ method: "POST", path: "/pets" });
  for (const nothing of [undefined, null, [], {}, { paths: {} }, { paths: { "/a": { $ref: "#/nowhere" } } }]) {
    expect(sampleCall(nothing)).toBeUndefined();
  }
});

test("a reference in a circle ends", () => {
  const circle = { paths: { "/a": { $ref: "#/paths/~1a" } } };
  expect(sampleCall(circle)).toBeUndefined();
});

test("differences name each value that changed, and no noise", () => {
  expect(changes({ a: 1, b: { c: [1, 2] }, revision: 1 }, { a: 1, b: { c: [1, 3] }, d: "x", revision: 2 })).toEqual([
    { path: "b.c.1", before: "2", after: "3" },
    { path: "d", after: "x" },
  ]);
  expect(changes(undefined, { name: "free" })).toEqual([{ path: "name", after: "free" }]);
  expect(changes(undefined, undefined)).toEqual([]);
});

const row = (hour: string, calls: number, refused: number, server_errors: number) =>
  ({ hour, api_id: "api_1", operation: "list", calls, refused, server_errors, client_errors: 0, bytes_in: 0, bytes_out: 10, latency_us: 5 }) as never;

test("every call is in exactly one part of one bar", () => {
  const now = Date.parse("2026-11-20T12:34:00Z");
  const rows = [row("2026-11-20T12:00:00Z", 10, 2, 1), row("2026-11-20T12:00:00Z", 5, 0, 0), row("2026-11-19T00:00:00Z", 99, 0, 0)];
  const drawn = bars(rows, 24, now);
  expect(drawn).toHaveLength(24);
  expect(drawn.at(-1)).toEqual({ at: Date.parse("2026-11-20T12:00:00Z"), answered: 12, refused: 2, failed: 1 });
  expect(since(24, now)).toBe("2026-11-19T13:00:00.000Z");
  expect(total(rows).calls).toBe(114);
  expect(grouped(rows, (each) => each.operation).map(({ id, calls }) => [id, calls])).toEqual([["list", 114]]);
});

test("an end is never, after some days, or a moment of the reader's clock", () => {
  const now = Date.parse("2026-11-20T12:00:00Z");
  expect(momentOf(expiryOf(undefined), now)).toBeUndefined();
  expect(momentOf({ ends: "30", at: "" }, now)).toBe("2026-12-20T12:00:00.000Z");
  expect(momentOf(expiryOf("2026-12-20T12:34:56Z"))).toBe("2026-12-20T12:34:00.000Z");
  expect(momentOf({ ends: "at", at: "some day" })).toBe("some day");
});

test("a figure is a number, nothing, or what was typed", () => {
  expect(["1,000", " 1 000 ", "0.5", "", "many", "-1", "1e3"].map(figure)).toEqual([1000, 1000, 0.5, undefined, "many", -1, 1000]);
});

test("spans without calls are there all the same", () => {
  const now = Date.parse("2026-11-20T12:34:56Z");
  const hour = { title: "", length: 3_600_000, granularity: "minute" as const };
  expect(timeOf(hour, now)).toEqual({ from: "2026-11-20T11:35:00.000Z", to: "2026-11-20T12:35:00.000Z" });
  expect(beginsOf({ period: timeOf(hour, now) as { from: string; to: string } }, "minute")).toHaveLength(60);
  const days = beginsOf({ period: { from: "2026-11-18T15:00:00Z", to: "2026-11-20T13:00:00Z" } }, "day", true);
  expect(days.map((at) => new Date(at).toISOString().slice(0, 10))).toEqual(["2026-11-18", "2026-11-19", "2026-11-20"]);
});

test("changes are told in percent, and only of something", () => {
  expect([change(150, 100), change(99, 100), change(5, 0), change(5, undefined), change(0, 8)]).toEqual(["+50 %", "−1.0 %", "", "", "−100 %"]);
});

test("events are read however their text is cut", () => {
  const text = ': beat\n\nevent: call\nid: 1-2\ndata: {"a":1}\n\nevent: missed\ndata: {"missed":null}\n\nevent: ca';
  for (let length = 1; length <= text.length; length += 1) {
    let [rest, found] = ["", [] as unknown[]];
    for (let at = 0; at < text.length; at += length) {
      const [events, left] = eventsIn(rest + text.slice(at, at + length));
      found.push(...events);
      rest = left;
    }
    expect(found).toEqual([
      { name: "call", id: "1-2", data: { a: 1 } },
      { name: "missed", data: { missed: null } },
    ]);
  }
});
