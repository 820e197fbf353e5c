/** Single calls are asked for with SQL: an answer, a mistake with its place, a file. */
import { readFile } from "node:fs/promises";
import { accessible, beAdmin, call, expect, offer, ready, test } from "./support";

test("calls are asked for with SQL and saved as a file", async ({ page }) => {
  const api = `asked-${Date.now()}`;
  const made = await offer(api);
  const { key } = await call<{ key: string }>("/keys/quick", { api: made.api, plan: "free" });
  const status = async () => (await fetch(`${ready().gateway}/${api}/pets`, { headers: { "x-api-key": key } })).status;
  await expect.poll(status, { timeout: 5000 }).toBe(200);

  await beAdmin(page);
  await page.goto("/console/sql");
  await expect(page.getByRole("list", { name: "Columns" })).toContainText("latency_us");
  await page.getByRole("button", { name: "Slowest calls" }).click();
  await expect(page.getByRole("textbox", { name: "Statement" })).toContainText("ORDER BY latency_us DESC");
  const sql = `SELECT api_id, status, count(*) AS calls FROM calls WHERE api_id = '${made.api}' AND status = 200 GROUP BY 1, 2`;
  await page.getByRole("textbox", { name: "Statement" }).fill(sql);
  const answer = page.getByRole("region", { name: "Answer" });
  await expect(async () => {
    await page.keyboard.press("Control+Enter");
    await expect(answer.getByRole("row").filter({ hasText: made.api })).toContainText("200", { timeout: 1000 });
  }).toPass({ timeout: 15_000 });
  await expect(page).toHaveURL(/sql=SELECT/);
  // Without the cursor, whose line is drawn on another ground.
  await page.getByRole("heading", { name: "Answer" }).click();
  await accessible(page);

  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as CSV" }).click()]);
  expect(file.suggestedFilename()).toBe("calls.csv");
  expect(await readFile(await file.path(), "utf8")).toMatch(new RegExp(`^api_id,status,calls\n${made.api},200,\\d+\n$`));
});

test.describe("a statement that cannot be answered", () => {
  test.use({ provokes: /^400 .*\/analytics\/sql/ });

  test("is told with its place", async ({ page }) => {
    await beAdmin(page);
    await page.goto("/console/sql");
    await page.getByRole("textbox", { name: "Statement" }).fill("SELECT *\nFORM calls");
    await page.getByRole("button", { name: "Run" }).click();
    await expect(page.getByRole("alert")).toContainText("query_invalid");
    await expect(page.locator(".cm-lintRange-error")).toHaveText("FORM calls");
    await accessible(page);
  });
});
