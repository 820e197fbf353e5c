/** The README's picture of the console: an API's usage, made of calls through the gateway. */
import { resolve } from "node:path";
import { beAdmin, call, expect, ready, test } from "../support";

const images = resolve(import.meta.dirname, "../../../docs/images");

/** A program that calls the API: how often which operation, in calls. */
interface Caller {
  title: string;
  plan: string;
  calls: Record<string, number>;
}

/** What they call adds up to something like the traffic of a small railway. */
const callers: Caller[] = [
  {
    title: "Station displays",
    plan: "displays",
    calls: { "/stations/harbour/departures?limit=8": 1900, "/stations/cross/departures?limit=8": 1300, "/stations": 60 },
  },
  {
    title: "Journey planner",
    plan: "displays",
    calls: { "/stations/harbour": 240, "/fares?from=harbour&to=light": 520, "/departures/harbour-0815-light/stops": 410, "/departures/no-such-train": 22 },
  },
  { title: "Weekend project", plan: "hobby", calls: { "/stations/harbour/departures": 130, "/departures/harbour-0815-light": 60 } },
];

/** A plan, an application, its subscription and its key. */
async function keyOf(caller: Caller, plans: Record<string, string>, product: string): Promise<string> {
  const application = await call("/applications", { name: caller.title.toLowerCase().replaceAll(" ", "-"), title: caller.title, description: "" });
  await call("/subscriptions", { application_id: application["id"], product_id: product, plan_id: plans[caller.plan] });
  const key = await call("/keys", { application_id: application["id"], environment: "sandbox", title: caller.title });
  return key["key"] ?? "";
}

/** Calls in turn, a few at a time, as programs do. */
async function drive(base: string, key: string, calls: Record<string, number>): Promise<void> {
  const waiting = Object.entries(calls).flatMap(([path, count]) => Array.from({ length: count }, (_, at) => ({ path, at: at / count })));
  waiting.sort((a, b) => b.at - a.at);
  const worker = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const response = await fetch(base + next.path, { headers: { "x-api-key": key } });
      await response.arrayBuffer();
    }
  };
  await Promise.all([worker(), worker(), worker()]);
}

test("the console's picture", async ({ page }) => {
  const routes = await call<{ data: { api_id: string; version_id: string; url: string }[] }>("/routes");
  const [route] = routes.data;
  if (!route) throw new Error("the sample API has a route");
  const products = await call<{ data: { id: string; title: string; revision: number; plan_ids: string[] }[] }>("/products");
  const [product] = products.data;
  if (!product) throw new Error("the sample API is in a product");
  const many = await call("/plans", { name: "displays", title: "Displays", description: "", rate_limit: { requests: 100_000, window_seconds: 60 }, keys_max: 2 });
  const few = await call("/plans", { name: "hobby", title: "Hobby", description: "", rate_limit: { requests: 100, window_seconds: 3600 }, keys_max: 2 });
  const plans = { displays: many["id"] ?? "", hobby: few["id"] ?? "" };
  const patched = await fetch(`${ready().control}/api/v1/products/${product.id}`, {
    method: "PATCH",
    headers: { authorization: `Bearer ${ready().admin.token}`, "content-type": "application/merge-patch+json", "if-match": "*" },
    body: JSON.stringify({ plan_ids: [...product.plan_ids, ...Object.values(plans)] }),
  });
  expect(patched.status, await patched.text()).toBe(200);

  const keys = new Map<Caller, string>();
  for (const caller of callers) keys.set(caller, await keyOf(caller, plans, product.id));
  for (const key of keys.values()) {
    const status = async () => (await fetch(`${route.url}/stations`, { headers: { "x-api-key": key } })).status;
    await expect.poll(status, { timeout: 15_000 }).toBe(200);
  }
  await Promise.all([
    ...callers.map((caller) => drive(route.url, keys.get(caller) ?? "", caller.calls)),
    // A key that was mistyped.
    drive(route.url, "gl_sandbox_mistyped", { "/stations": 17 }),
  ]);

  await beAdmin(page);
  await page.goto(`/console/apis/${route.api_id}/usage`);
  await expect(page.getByRole("row", { name: /Weekend project/ })).toBeVisible();
  // Counted within two seconds.
  await expect(page.getByRole("row", { name: /^list_departures/ })).toContainText(/3,[23]\d\d/);
  // As high as the table of operations needs.
  await page.setViewportSize({ width: 1440, height: 975 });
  await page.screenshot({ path: resolve(images, "console.png") });
});
