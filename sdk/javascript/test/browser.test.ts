/** What is different in pages, with the few things of a browser that the client touches. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Gateline } from "../src/index.js";
import { FakeServer, half, KEY, on } from "./fake-server.js";

class Page extends EventTarget {
  visibilityState = "visible";
}

const kept = new Map<string, string>();
const page = new Page();
const storage = {
  getItem: (name: string): string | null => kept.get(name) ?? null,
  setItem: (name: string, text: string): unknown => kept.set(name, text),
};
const properties = new Map(["document", "localStorage"].map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]));

before(() => {
  Object.defineProperty(globalThis, "document", { value: page, configurable: true });
  Object.defineProperty(globalThis, "localStorage", { value: storage, configurable: true });
});

after(() => {
  for (const [name, property] of properties) {
    Reflect.deleteProperty(globalThis, name);
    if (property) {
      Object.defineProperty(globalThis, name, property);
    }
  }
});

test("pages let the server evaluate, keep its answers, and tell exposures when they are hidden", async () => {
  const server = await FakeServer.start({ on: on(), half: half() });
  const { url } = server;
  const gateline = new Gateline({ url, key: KEY, context: { userId: "ann" }, onError: (error) => assert.fail(error) });
  assert.equal(await gateline.check("on"), true);
  await gateline.check("half");
  await server.until(() => server.calls("feature-flags/changes").length > 0);
  assert.equal(server.calls("feature-flags/definitions").length, 0);
  assert.equal(server.calls("feature-flags/changes")[0]?.key, KEY);
  page.dispatchEvent(new Event("visibilitychange"));
  assert.equal(server.exposures.length, 0);
  page.visibilityState = "hidden";
  page.dispatchEvent(new Event("visibilitychange"));
  await server.until(() => server.exposures.length === 1);
  const [[name, text] = ["", ""]] = kept;
  assert.match(name, /^gateline:[0-9a-f]{32}$/);
  assert.ok(text.includes('"half"') && !text.includes("ann") && !text.includes(KEY));
  await gateline.close();
  await server.stop();
  const away = new Gateline({ url, key: KEY, context: { userId: "ann" }, streaming: false, onError: () => undefined });
  assert.equal(await away.check("on"), true);
  assert.equal(away.peek("none", 1).error, "flag_not_found");
  await away.close();
});

test("pages that may keep nothing work all the same", async () => {
  Object.defineProperty(globalThis, "localStorage", {
    get: () => {
      throw new Error("denied");
    },
    configurable: true,
  });
  const server = await FakeServer.start({ on: on() });
  const gateline = new Gateline({ url: server.url, key: KEY, streaming: false, onError: (error) => assert.fail(error) });
  assert.equal(await gateline.check("on"), true);
  await gateline.close();
  await server.stop();
});
