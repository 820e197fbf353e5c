/** Every screen is visited, in light and dark, and axe finds nothing on it. */
import { routes as consoleRoutes } from "../console/src/routes";
import { routes as portalRoutes } from "../portal/src/routes";
import { type Offer, accessible, beAdmin, call, expect, offer, test } from "./support";

/** Which thing stands for `$id` below a path, and for other parameters. */
let ids: Record<string, string> = {};
let made: Offer;

test.beforeAll(async () => {
  made = await offer(`Visited with a name that is long enough to need more than one line on a phone ${Date.now()}`);
  const [upstreams, plans, applications] = await Promise.all(
    ["upstreams", "plans", "applications"].map((list) => call<{ data: { id: string }[] }>(`/${list}?limit=1`)),
  );
  const application = applications?.data[0] ?? (await call("/applications", { name: "visited", title: "Visited", description: "" }));
  const routes = await call<{ data: { id: string }[] }>(`/routes?filter[api]=${made.api}`);
  const database = await call("/upstreams", { name: `visited-${Date.now()}`, targets: [{ url: "tcp://127.0.0.1:5432" }] });
  const stream = await call("/stream-routes", { name: database["name"], environment: "sandbox", hosts: [`${database["name"]}.example.com`], upstream_id: database["id"] });
  const policy = await call("/policies", { api_id: made.api, kind: "headers", config: { request: { set: { "X-Team": "blue" }, remove: ["Cookie"] } } });
  // Nobody answers at that address, so it is one that could not be ordered.
  const acme = { directory_url: "https://127.0.0.1:9/directory", terms_agreed: true };
  const certificate = await call("/certificates", { name: `visited-${Date.now()}`, environment: "sandbox", hosts: [`v${Date.now()}.example.com`], acme });
  const event = await call("/event-types", { name: `visited.${Date.now()}`, title: "Visited", schema: { type: "object" } });
  const condition = { all: [{ attribute: "country", op: "in", values: ["DE", "FR"] }, { not: { any: [{ attribute: "app_version", op: "semver_gte", values: ["2.1.0"] }] } }] };
  const rules = [{ name: "visited", when: condition, gates: [{ key: "layer-1", by: "user_id", parts: [[0, 50]] }], split: { on: 30, off: 70 }, by: "user_id" }];
  const overrides = [{ by: "user_id", values: ["tester-1"], serve: "on" }];
  const flag = await call("/feature-flags", { key: `visited-${Date.now()}`, tags: ["visited"], owner: "team-shop@acme.example", environments: { production: { off: "off", overrides, rules, otherwise: { serve: "off" } } } });
  const proposed = { patch: { environments: { production: { otherwise: { serve: "on" } } } }, comment: "Visited" };
  const change = await call(`/feature-flags/${flag["id"]}/change-requests`, proposed);
  await call(`/feature-flags/${flag["id"]}/comments`, { text: "Visited" });
  const segment = await call("/segments", { key: `visited-${Date.now()}`, when: condition });
  await call("/sdk-keys", { kind: "client", environment: "sandbox", title: "Visited", origins: ["https://shop.example"] });
  const rule = await call("/alert-rules", { name: `visited-${Date.now()}`, title: "Visited", condition: { kind: "threshold", measure: "calls", window_minutes: 1, under: 1e12 } });
  const channel = await call("/alert-channels", { name: `visited-${Date.now()}`, title: "Visited", target: { kind: "webhook", url: "https://hooks.example.com/alerts" } });
  const part = { name: "calls", title: "Calls", measures: ["calls"], dimensions: ["operation"] };
  const definition = await call("/report-definitions", { name: `visited-${Date.now()}`, title: "Visited", parts: [part] });
  const schedule = await call("/report-schedules", { name: `visited-${Date.now()}`, title: "Visited", report: "traffic", interval: "day", channels: [channel["name"]] });
  await call("/alert-silences", { title: "Visited", starts_at: new Date().toISOString(), ends_at: new Date(Date.now() + 60_000).toISOString() });
  let alert: { id: string } | undefined;
  await expect(async () => {
    alert = (await call<{ data: { id: string }[] }>(`/alerts?filter[rule_id]=${rule["id"]}`)).data[0];
    expect(alert).toBeDefined();
  }).toPass({ timeout: 20_000 });
  ids = {
    "alerts/rules": rule["id"] ?? "",
    alerts: alert?.id ?? "",
    $name: "errors",
    "reports/schedules": schedule["id"] ?? "",
    "reports/definitions": definition["id"] ?? "",
    events: event["id"] ?? "",
    flags: flag["id"] ?? "",
    segments: segment["id"] ?? "",
    $environment: "production",
    $change: change["id"] ?? "",
    certificates: certificate["id"] ?? "",
    $policy: policy["id"] ?? "",
    $route: routes.data[0]?.id ?? "",
    apis: made.api,
    products: made.product,
    streams: stream["id"] ?? "",
    upstreams: upstreams?.data[0]?.id ?? "",
    plans: plans?.data[0]?.id ?? "",
    applications: application?.id ?? "",
  };
});

const address = (base: string, path: string) =>
  base + path.replace(/^\/(\w+(?:\/\w+)?)\/\$id/, (_, list: string) => `/${list}/${ids[list]}`).replace(/\$\w+/, (name) => ids[name] ?? "");

for (const [base, routes] of Object.entries({ "/console": consoleRoutes, "/portal": portalRoutes })) {
  for (const path of Object.keys(routes)) {
    test(`${base}${path} is accessible in light and dark`, async ({ page }) => {
      if (!/^\/(sign-|invitation|reset)/.test(path)) await beAdmin(page);
      await page.goto(address(base, path));
      await expect(page.getByRole("heading", { level: 1 }).first()).toBeVisible();
      await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
      await accessible(page);
      await expect(page).toHaveTitle(/ · Gateline$/);
    });
  }
}

test.describe("what is not there", () => {
  test.use({ provokes: /^404 .*\/apis\/api_/ });

  test("is told as a problem with its code and request", async ({ page }) => {
    await beAdmin(page);
    await page.goto("/console/apis/api_01jd9zk5v8e7rbxq3m6t4n2w0c");
    await expect(page.getByRole("alert")).toContainText("not_found");
    await accessible(page);
    await page.goto("/console/no-such-screen");
    await expect(page.getByRole("heading", { name: "There is no such page" })).toBeVisible();
  });
});

test.describe("the server away", () => {
  test.use({ provokes: /^0 .*/ });

  test("is told with a way to try again, and a change that failed is not shown as done", async ({ page }) => {
    const plans = /\/api\/v1\/plans(\?|$)/;
    await beAdmin(page);
    await page.route(plans, (route) => route.abort());
    await page.goto("/console/plans");
    await expect(page.getByRole("alert")).toContainText("The control plane does not answer");
    await accessible(page);
    await page.unroute(plans);
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByRole("link", { name: "Free", exact: true })).toBeVisible();

    await page.goto(address("/console", "/apis/$id/routes"));
    await page.route("**/api/v1/routes/*", (route) => route.abort());
    await page.getByRole("button", { name: "Turn off" }).click();
    await expect(page.getByRole("dialog", { name: "Nothing was changed" })).toContainText("unreachable");
    await accessible(page);
    await page.keyboard.press("Escape");
    // The focus is back where it came from.
    await expect(page.getByRole("button", { name: "Turn off" })).toBeFocused();
  });
});

test("a phone's width shows every screen without scrolling the page sideways", async ({ page }) => {
  test.setTimeout(180_000);
  await page.setViewportSize({ width: 390, height: 844 });
  await beAdmin(page);
  for (const [base, routes] of Object.entries({ "/console": consoleRoutes, "/portal": portalRoutes })) {
    for (const path of Object.keys(routes)) {
      await page.goto(address(base, path));
      await expect(page.getByRole("heading", { level: 1 }).first()).toBeVisible();
      await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(over, `${base}${path} is as wide as the screen`).toBeLessThanOrEqual(0);
    }
  }
});

test("the reference of our own API opens", async ({ page }) => {
  const document = await call<{ info: { title: string } }>("/openapi.json");
  await page.goto("/api/docs");
  await expect(page.locator(".scalar-app").getByRole("heading", { name: document.info.title }).first()).toBeVisible();
});

test("scripts arrive compressed and are kept for good", async ({ page, request }) => {
  await page.goto("/portal/");
  const script = await page.locator("script[src]").first().getAttribute("src");
  const response = await request.get(script ?? "", { headers: { "accept-encoding": "br" } });
  expect(response.headers()["content-encoding"]).toBe("br");
  expect(response.headers()["cache-control"]).toContain("immutable");
});
