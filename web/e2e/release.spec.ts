/** How a release is set up in the console: splits of routes, and what upstreams fall back to. */
import { accessible, beAdmin, call, expect, offer, service, test } from "./support";

interface Route {
  id: string;
  revision: number;
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
