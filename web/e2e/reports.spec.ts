/** Reports tell what calls mean, in the browser and as a file. */
import { readFile } from "node:fs/promises";
import { accessible, beAdmin, call, expect, offer, ready, test } from "./support";

const status = async (path: string, key?: string): Promise<number> => {
  const response = await fetch(ready().gateway + path, { headers: key ? { "x-api-key": key } : {} });
  await response.arrayBuffer();
  return response.status;
};

test("errors are told with their causes, and saved as a file", async ({ page }) => {
  const api = `told-${Date.now()}`;
  const made = await offer(api);
  const { key } = await call<{ key: string }>("/keys/quick", { api: made.api, plan: "free" });
  await expect.poll(() => status(`/${api}/pets`, key), { timeout: 5000 }).toBe(200);
  for (let times = 0; times < 3; times += 1) expect(await status(`/${api}/pets`)).toBe(401);

  await beAdmin(page);
  await page.goto("/console/reports");
  await expect(page.getByRole("list", { name: "Reports" }).getByRole("listitem").nth(7)).toBeVisible();
  await page.getByRole("link", { name: "Errors and their causes" }).click();
  await page.getByLabel("API", { exact: true }).selectOption(made.api);
  await expect(page).toHaveURL(new RegExp(`api=${made.api}`));
  const causes = page.getByRole("region", { name: "Causes" });
  await expect(async () => {
    await page.reload();
    await expect(causes.getByRole("row").filter({ hasText: "key_missing" })).toContainText("Gateway", { timeout: 1000 });
  }).toPass({ timeout: 15_000 });
  await expect(causes.getByRole("link", { name: "key_missing" })).toHaveAttribute("href", "/docs/errors/key_missing");
  await expect(page.getByRole("img", { name: /^Over time: at most \d+ in 3\d days/ })).toBeVisible();
  await accessible(page);

  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as CSV" }).click()]);
  expect(file.suggestedFilename()).toBe("errors.csv");
  const text = await readFile(await file.path(), "utf8");
  expect(text).toContain("what,side,status,api,operation,calls");
  expect(text).toMatch(new RegExp(`Gateway,401,${api},list_pets,\\d+`));
});

test("a forecast asks for a capacity and says what it does not know yet", async ({ page }) => {
  await beAdmin(page);
  await page.goto("/console/reports/forecast");
  await expect(page.getByText("14 are needed")).toBeVisible();
  await page.getByLabel("Calls of a day that can be served").fill("1000");
  await page.getByRole("button", { name: "When is that reached?" }).click();
  await expect(page).toHaveURL(/capacity=1000/);
  await expect(page.getByText("14 are needed")).toBeVisible();
  await accessible(page);
});

test("costs are shared out by what causes them", async ({ page }) => {
  await beAdmin(page);
  await page.goto("/console/reports/costs");
  await expect(page.getByRole("heading", { name: "Costs", exact: true })).toBeVisible();
  await expect(page.getByText("Say what a month costs")).toBeVisible();
  await page.getByLabel("Costs of a month, in any currency").fill("1850.50");
  await page.getByRole("button", { name: "What is that for a call?" }).click();
  await expect(page).toHaveURL(/monthly_cost=1850.50/);
  await expect(page.getByText("A thousand calls").first()).toBeVisible();
  await page.getByLabel("Shared out").selectOption("by the number of calls");
  await expect(page).toHaveURL(/cost_by=calls/);
  const organizations = page.getByRole("region", { name: "By consumer" });
  await expect(organizations.getByRole("row").nth(1)).toContainText(/\d\.\d\d/);
  await accessible(page);
});

test("a plan's promise is entered, shown, and told whether it was kept", async ({ page }) => {
  const name = `promising-${Date.now()}`;
  const plan = await call<{ id: string }>("/plans", { name, title: name });
  await beAdmin(page);
  await page.goto(`/console/plans/${plan.id}/edit`);
  await page.getByLabel("Promised availability in percent").fill("99.9");
  await page.getByLabel("Promised latency in milliseconds").fill("300");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("99.9 % do not fail, 95 % within 300 ms")).toBeVisible();
  await page.goto("/console/reports/service_levels");
  await expect(page.getByRole("region", { name: "Plans", exact: true }).getByRole("row").filter({ hasText: name })).toContainText("Kept");
  await accessible(page);
});

test("a report is scheduled, sent now, and saved as a PDF", async ({ page }) => {
  const name = `hook-${Date.now()}`;
  await call("/alert-channels", { name, title: name, target: { kind: "webhook", url: "https://hooks.example.com/reports" } });
  await beAdmin(page);
  await page.goto("/console/reports/schedules");
  await page.getByRole("link", { name: "Schedule a report" }).first().click();
  await page.getByLabel("Title").fill(`The week ${name}`);
  await page.getByLabel("Report", { exact: true }).selectOption("errors");
  await page.getByRole("checkbox", { name }).check();
  await accessible(page);
  await page.getByRole("button", { name: "Schedule it" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(`The week ${name}`);
  await expect(page.getByText("Each Monday, about the week before, from 06:00")).toBeVisible();
  await page.getByRole("button", { name: "Send it now" }).click();
  await expect(page.getByRole("region", { name: "Notifications" }).getByRole("row").filter({ hasText: name })).toContainText("The report");
  await accessible(page);

  await page.goto("/console/reports/errors");
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as PDF" }).click()]);
  expect(file.suggestedFilename()).toBe("errors.pdf");
  expect((await readFile(await file.path())).subarray(0, 5).toString()).toBe("%PDF-");
});

test.describe("a report of one's own", () => {
  test.use({ provokes: /^400 .*\/report-definitions/ });

  test("is added, read, changed and deleted", async ({ page }) => {
    const title = `Ours ${Date.now()}`;
    const section = (place: number) => page.getByRole("group", { name: `Section ${place}` });
    await beAdmin(page);
    await page.goto("/console/reports");
    await page.getByRole("link", { name: "Add a report" }).click();
    await page.getByLabel("Title", { exact: true }).first().fill(title);
    await section(1).getByLabel("Title").fill("Who calls");
    await section(1).getByLabel("95 % within").check();
    await section(1).getByLabel("By", { exact: true }).selectOption("application");
    await page.getByRole("button", { name: "Add to sections" }).click();
    await section(2).getByLabel("Title").fill("Over time");
    await section(2).getByLabel("Shown as").selectOption("course");
    await section(2).getByLabel("By", { exact: true }).selectOption("");
    await accessible(page);
    await page.getByRole("button", { name: "Add report" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(title);
    await expect(page.getByRole("heading", { name: "Who calls" })).toBeVisible();
    await expect(page.getByRole("img", { name: /^Over time: / })).toBeVisible();
    await accessible(page);

    await page.getByRole("link", { name: "Change" }).click();
    await section(2).getByLabel("Failed").check();
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(section(2)).toContainText("They have different units");
    await section(2).getByLabel("Failed").uncheck();
    await section(2).getByLabel("Title").fill("As time goes by");
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(page.getByRole("img", { name: /^As time goes by: / })).toBeVisible();

    await page.getByRole("link", { name: "Change" }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await expect(page.getByRole("list", { name: "Reports" })).toBeVisible();
    await expect(page.getByRole("link", { name: title })).toHaveCount(0);
  });
});
