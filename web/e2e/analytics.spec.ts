/** Calls show in the analytics: how many, how long they took, what went wrong and who decided so. */
import { accessible, beAdmin, call, expect, offer, ready, test } from "./support";

/** What is answered to a call. */
const status = async (path: string, key?: string): Promise<number> => {
  const response = await fetch(ready().gateway + path, { headers: key ? { "x-api-key": key } : {} });
  await response.arrayBuffer();
  return response.status;
};

test("calls show with their latency, errors and who decided", async ({ page }) => {
  const api = `measured-${Date.now()}`;
  const made = await offer(api);
  const { key } = await call<{ key: string }>("/keys/quick", { api: made.api, plan: "free" });
  await expect.poll(() => status(`/${api}/pets`, key), { timeout: 5000 }).toBe(200);
  for (let again = 0; again < 4; again += 1) expect(await status(`/${api}/pets`, key)).toBe(200);
  expect(await status(`/${api}/pets`)).toBe(401);
  expect(await status(`/${api}/nothing`, key)).toBe(404);

  await beAdmin(page);
  await page.goto(`/console/analytics?api=${made.api}&time=hour`);
  const figure = (name: string) => page.getByText(name, { exact: true }).locator("xpath=following-sibling::dd[1]");
  await expect.poll(async () => Number(await figure("Calls").first().textContent()), { timeout: 5000 }).toBeGreaterThanOrEqual(7);
  await expect(figure("95 % within")).toHaveText(/ms|µs/);
  await expect(page.getByRole("img", { name: /^Traffic: \d+ calls in 60 minutes/ })).toBeVisible();
  await expect(page.getByRole("img", { name: /^Latency: at most .* in 60 minutes/ })).toBeVisible();
  const errors = page.getByRole("region", { name: "Errors" });
  const row = (code: string) => errors.getByRole("row").filter({ hasText: code });
  await expect(row("key_missing")).toContainText("Gateway");
  await expect(row("key_missing")).toContainText("list_pets");
  await expect(row("operation_not_found")).toContainText("404");
  await expect(page.getByRole("region", { name: "By operation" }).getByRole("row").filter({ hasText: "list_pets" })).toContainText(/ms|µs/);
  const target = page.getByRole("region", { name: "By target" }).getByRole("row").filter({ hasText: "http://127.0.0.1:" });
  await expect(target).toContainText(/ms|µs/);
  await accessible(page);

  await page.getByLabel("Time").selectOption("Last 30 days");
  await expect(page).toHaveURL(/time=month/);
  await expect(page.getByRole("img", { name: /^Traffic: \d+ calls in 3[01] days/ })).toBeVisible();
  await accessible(page);
});
