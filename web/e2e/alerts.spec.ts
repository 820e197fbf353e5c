/** Alerts: a channel and a rule are made, it fires, is silenced, paused, and is over. */
import { accessible, beAdmin, call, expect, test } from "./support";

test("a rule is tried, made, fires and is paused", async ({ page }) => {
  await beAdmin(page);
  const title = `Silence ${Date.now()}`;
  await page.goto("/console/alerts/channels");
  await page.getByRole("button", { name: "Add a channel" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Add a channel" });
  await dialog.getByLabel("Title").fill(`Hook ${title}`);
  await dialog.getByLabel("URL").fill("https://hooks.example.com/alerts");
  await dialog.getByRole("button", { name: "Add channel" }).click();
  const row = page.getByRole("row", { name: new RegExp(`Hook ${title}`) });
  await row.getByRole("button", { name: "Secret" }).click();
  await expect(page.getByText(/^whsec_/)).toBeVisible();
  await accessible(page);
  await page.keyboard.press("Escape");

  await page.goto("/console/alerts/rules/new");
  await page.getByLabel("Title").fill(title);
  await page.getByLabel("Measure").selectOption("calls");
  await page.getByLabel("Must not be more than").fill("");
  await page.getByLabel("Must not be less than").fill("1000000");
  await page.getByLabel("At least so many calls").fill("0");
  await page.getByRole("button", { name: "See what it finds now" }).click();
  await expect(page.getByRole("cell", { name: /The number of calls of the last 5 minutes is/ })).toBeVisible();
  await page.getByLabel(`Hook ${title}`).check();
  await page.getByLabel("Severity").selectOption("critical");
  await accessible(page);
  await page.getByRole("button", { name: "Add rule" }).click();
  await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
  await page.getByRole("link", { name: title }).click();
  await expect(page.getByRole("row", { name: /hook-silence.* It has begun/ })).toBeVisible();
  await accessible(page);
  await page.getByRole("link", { name: "Rule", exact: true }).click();
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByRole("button", { name: "Go on" })).toBeVisible();
  await expect(page.getByRole("row", { name: new RegExp(`${title}.*resolved`) })).toBeVisible({ timeout: 15_000 });
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Alerts" })).toBeVisible();
});

test("a rule of another kind takes the place of one", async ({ page }) => {
  await beAdmin(page);
  const condition = { kind: "threshold", measure: "error_rate", window_minutes: 5, over: 0.5, calls_min: 10 };
  const rule = await call("/alert-rules", { name: `kind-${Date.now()}`, title: "Kind", condition, repeat_minutes: 60 });
  await page.goto(`/console/alerts/rules/${rule["id"]}/edit`);
  await page.getByLabel("What is watched").selectOption("burn_rate");
  await page.getByLabel("Objective").fill("0.99");
  await page.getByLabel("Tell again after so many minutes").fill("");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("An error budget that is spent too fast")).toBeVisible();
  const changed = await call<{ condition: unknown; repeat_minutes?: number }>(`/alert-rules/${rule["id"]}`);
  expect(changed.condition).toMatchObject({ kind: "burn_rate", objective: 0.99 });
  expect(changed.repeat_minutes).toBeUndefined();
});

test.describe("what is wrong", () => {
  test.use({ provokes: /^400 .*\/alert-rules$/ });

  test("is said beside its field", async ({ page }) => {
    await beAdmin(page);
    await page.goto("/console/alerts/rules/new");
    await page.getByLabel("Title").fill("Wrong");
    await page.getByLabel("In the last so many minutes").fill("5000");
    await page.getByRole("button", { name: "Add rule" }).click();
    await expect(page.getByText(/1440/).last()).toBeVisible();
  });
});

test("nobody is told for a while", async ({ page }) => {
  await beAdmin(page);
  await page.goto("/console/alerts/silences");
  await page.getByRole("button", { name: "Tell nobody for a while" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Tell nobody for a while" });
  const title = `Deployment ${Date.now()}`;
  await dialog.getByLabel("Why").fill(title);
  await dialog.getByLabel("For how long").selectOption("15");
  await dialog.getByRole("button", { name: "Tell nobody" }).click();
  const row = page.getByRole("row", { name: new RegExp(title) });
  await expect(row).toContainText("active");
  await accessible(page);
  await row.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(row).toHaveCount(0);
});
