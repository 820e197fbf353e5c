/** How a release is set up in the console: splits of routes, and what upstreams fall back to. */
import type { Page } from "@playwright/test";
import { accessible, beAdmin, call, expect, offer, ready, service, test } from "./support";

interface Route {
  id: string;
  revision: number;
  url: string;
  upstream_id?: string;
  importance?: string;
  split?: { by: string; variants: { name: string; upstream_id: string; weight: number }[] };
}

test.describe("a route", () => {
  test.use({ provokes: /^400 .*\/routes/ });

  test("splits its calls between upstreams that are chosen by name", async ({ page }) => {
    const made = await offer(`Released ${Date.now()}`);
    const name = `green-${Date.now()}`;
    const green = await call("/upstreams", { name, targets: [{ url: service() }] });
    const read = async () => (await call<{ data: Route[] }>(`/routes?filter[api]=${made.api}`)).data[0];
    const before = await read();
    const blue = before?.upstream_id ?? "";
    await beAdmin(page);
    await page.goto(`/console/apis/${made.api}/routes/${before?.id}`);
    await page.getByLabel("Upstream", { exact: true }).selectOption("");
    const release = page.getByRole("region", { name: "Release" });
    const split = { split: { variants: [{ name: "blue", upstream_id: blue, weight: 0 }, { name: "green", upstream_id: green["id"], weight: 0 }] } };
    await release.getByRole("button", { name: "JSON", exact: true }).click();
    await release.getByLabel("Release as JSON").fill(JSON.stringify(split));
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(release.getByText("No variant has a weight")).toBeVisible();

    await release.getByRole("button", { name: "Form" }).click();
    // The upstreams have their names, and the other one is chosen by it.
    const services = release.getByLabel("Upstream id");
    await expect(services.nth(1).locator("option:checked")).toHaveText(name);
    const weights = release.getByLabel("Weight");
    await weights.nth(0).fill("90");
    await weights.nth(1).fill("10");
    await release.getByLabel("Importance").selectOption("Critical");
    await accessible(page);
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(page).toHaveURL(/\/routes$/);
    await expect(page.getByRole("cell", { name: "blue 90, green 10" })).toBeVisible();
    const after = await read();
    expect(after?.upstream_id).toBeUndefined();
    expect(after?.importance).toBe("critical");
    expect(after?.split?.variants.map((variant) => [variant.name, variant.upstream_id, variant.weight])).toEqual([
      ["blue", blue, 90],
      ["green", green["id"], 10],
    ]);
  });
});

/** Changes a route as the administrator. */
async function change(id: string, body: unknown): Promise<void> {
  const answer = await fetch(`${ready().control}/api/v1/routes/${id}`, {
    method: "PATCH",
    headers: { authorization: `Bearer ${ready().admin.token}`, "content-type": "application/merge-patch+json", "if-match": "*" },
    body: JSON.stringify(body),
  });
  expect(answer.status, await answer.text()).toBe(200);
}

/** A published API with its route, another service, and a key. */
async function released(title: string): Promise<{ api: string; route: Route; other: string; key: string }> {
  const made = await offer(title);
  const other = await call("/upstreams", { name: `other-${Date.now()}`, targets: [{ url: service() }] });
  const { data } = await call<{ data: Route[] }>(`/routes?filter[api]=${made.api}`);
  const [route] = data;
  if (!route) throw new Error("the import makes a route");
  const { key } = await call<{ key: string }>("/keys/quick", { api: made.api, plan: "free" });
  return { api: made.api, route, other: other["id"] ?? "", key };
}

/** Looks at a page as it is in light, in dark and on a phone. */
async function looked(page: Page): Promise<void> {
  await accessible(page);
  const size = page.viewportSize();
  await page.setViewportSize({ width: 390, height: 844 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide, "nothing is wider than a phone").toBeLessThanOrEqual(390);
  if (size) await page.setViewportSize(size);
}

test("a request's variant is told, with what decided", async ({ page }) => {
  const { route, other, key } = await released(`Forced ${Date.now()}`);
  const variants = [
    { name: "blue", upstream_id: route.upstream_id, weight: 90 },
    { name: "green", upstream_id: other, weight: 10 },
  ];
  await change(route.id, { upstream_id: null, split: { variants, forced_by: { header: "X-Variant" }, answer_header: "X-Variant" } });
  const token = await call<{ token: string }>("/debug-tokens", {});
  const ask = async (headers: Record<string, string>) => fetch(`${route.url}/pets`, { headers: { "x-api-key": key, ...headers } });
  await expect.poll(async () => (await ask({ "x-variant": "green" })).headers.get("x-variant")).toBe("green");
  await beAdmin(page);
  const explained = async (headers: Record<string, string>) => {
    const id = (await ask(headers)).headers.get("x-request-id") ?? "";
    await page.goto(`/console/explain?request_id=${id}`);
    return page.getByRole("article");
  };
  const forced = await explained({ "x-variant": "green" });
  await expect(forced.getByText("The header x-variant asked for it.")).toBeVisible();
  await expect(forced.getByText("green", { exact: true })).toBeVisible();
  await looked(page);
  const kept = await explained({ "x-variant": "red", "gateline-debug": token.token });
  await expect(kept.getByText(/Callers are told apart by the application. It falls on bucket \d+ of 100/)).toBeVisible();
  await expect(kept.getByText("the header x-variant names no variant")).toBeVisible();
  await looked(page);
});

test("a route tells what its mirror has found", async ({ page }) => {
  const { api, route, other, key } = await released(`Mirrored ${Date.now()}`);
  await beAdmin(page);
  await page.goto(`/console/apis/${api}/routes/${route.id}`);
  await expect(page.getByRole("region", { name: "Release" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Mirror", exact: true })).toBeHidden();
  await change(route.id, { mirror: { upstream_id: other, compare: {} } });
  const ask = async () => fetch(`${route.url}/pets`, { headers: { "x-api-key": key } });
  await expect.poll(async () => (await ask()).status).toBe(200);
  for (let calls = 0; calls < 20; calls += 1) await ask();
  await page.reload();
  await expect(page.getByRole("heading", { name: "Mirror", exact: true })).toBeVisible();
  const differences = page.getByRole("region", { name: "Differences" });
  await expect(differences.getByRole("row")).toHaveCount(5, { timeout: 20_000 });
  await expect(page.getByText("all were answered")).toBeVisible();
  await expect(page.getByRole("region", { name: "Nodes that report" }).getByRole("row")).toHaveCount(2);
  await looked(page);
});

test.describe("an upstream", () => {
  test.use({ provokes: /^400 .*\/upstreams/ });

  test("falls back to what it answered before, or has its targets in a file", async ({ page }) => {
    const name = `listed-${Date.now()}`;
    await beAdmin(page);
    await page.goto("/console/upstreams/new");
    await page.getByLabel("Name", { exact: true }).fill(name);
    const traffic = page.getByRole("region", { name: "Traffic and failure" });
    await traffic.getByLabel("Targets file").fill("../shop.yaml");
    await traffic.getByLabel("Max stale (seconds)").fill("600");
    await page.getByRole("button", { name: "Add upstream" }).click();
    await expect(traffic.getByText("It is no path below a directory.")).toBeVisible();
    await accessible(page);
    await traffic.getByLabel("Targets file").fill("shop.yaml");
    await page.getByRole("button", { name: "Add upstream" }).click();
    await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
    const { data } = await call<{ data: { targets: unknown[]; targets_file: string; fallback: { last_good: { max_stale_seconds: number } } }[] }>(
      `/upstreams?filter[name]=${name}`,
    );
    expect(data[0]).toMatchObject({ targets: [], targets_file: "shop.yaml", fallback: { last_good: { max_stale_seconds: 600 } } });
  });
});
