/** Calls show on the screen while they are made. */
import { accessible, beAdmin, call, expect, offer, ready, test } from "./support";

/** What is answered to a call. */
const status = async (path: string, key?: string): Promise<number> => {
  const response = await fetch(ready().gateway + path, { headers: key ? { "x-api-key": key } : {} });
  await response.arrayBuffer();
  return response.status;
};

test("calls show as they come, wait while the screen is paused, and tell all that is known", async ({ page }) => {
  const api = `watched-${Date.now()}`;
  const made = await offer(api);
  const { key } = await call<{ key: string }>("/keys/quick", { api: made.api, plan: "free" });
  await expect.poll(() => status(`/${api}/pets`, key), { timeout: 5000 }).toBe(200);

  await beAdmin(page);
  await page.goto(`/console/live?api=${made.api}`);
  await expect(page.getByText("Connected.")).toBeVisible();
  await expect(page.getByRole("heading", { name: "No call yet" })).toBeVisible();
  await accessible(page);

  const calls = page.getByRole("region", { name: "Calls" });
  expect(await status(`/${api}/pets`, key)).toBe(200);
  await expect(calls.getByRole("row").filter({ hasText: "list_pets" })).toHaveCount(1);
  expect(await status(`/${api}/pets/7`)).toBe(401);
  const refused = calls.getByRole("row").filter({ hasText: "key_missing" });
  await expect(refused).toContainText("read_pet");
  await expect(page.getByRole("img", { name: /^Traffic: at most .* in \d+ minutes/ })).toBeVisible();

  // What comes while the screen is paused waits.
  await page.getByRole("button", { name: "Pause" }).click();
  expect(await status(`/${api}/pets`, key)).toBe(200);
  const resume = page.getByRole("button", { name: "Resume (1 waiting)" });
  await expect(resume).toBeVisible();
  await expect(calls.getByRole("row").filter({ hasText: "list_pets" })).toHaveCount(1);
  await resume.click();
  await expect(calls.getByRole("row").filter({ hasText: "list_pets" })).toHaveCount(2);

  await refused.getByRole("button").click();
  const fields = page.getByRole("dialog", { name: "Call" });
  await expect(fields).toContainText("request_id");
  await expect(fields).toContainText(made.api);
  await accessible(page);
  await page.keyboard.press("Escape");
  await expect(fields).toHaveCount(0);

  // A filter stands in the address, and what does not fit is not shown.
  await page.getByLabel("Status").selectOption("4xx");
  await expect(page).toHaveURL(/status=4xx/);
  expect(await status(`/${api}/pets`, key)).toBe(200);
  expect(await status(`/${api}/nothing`, key)).toBe(404);
  await expect(calls.getByRole("row").filter({ hasText: "404" })).toHaveCount(1);
  await expect(calls.getByRole("row")).toHaveCount(2);
});

test.describe("a stream that breaks", () => {
  test.use({ provokes: /^0 .*\/analytics\/calls$/ });

  test("is told, and opened again by itself", async ({ page }) => {
    await beAdmin(page);
    const calls = /\/api\/v1\/analytics\/calls/;
    await page.route(calls, (route) => route.abort());
    await page.goto("/console/live");
    await expect(page.getByRole("status").filter({ hasText: "The connection broke" })).toBeVisible();
    await accessible(page);
    await page.unroute(calls);
    await expect(page.getByText("Connected.")).toBeVisible();
    await expect(page.getByRole("status").filter({ hasText: "The connection broke" })).toHaveCount(0);
  });
});
