/** Changes of flags: what was comes back, people talk about it, and where it is protected somebody else says yes. */
import { accessible, beAdmin, call, expect, ready, somebody, test } from "./support";

interface Made {
  id: string;
  key: string;
}

const targeting = { off: "off", otherwise: { serve: "off" } };

test("what a flag was is shown and comes back, and people talk about it", async ({ page }) => {
  const made = await call<Made>("/feature-flags", { key: `history-${Date.now()}`, title: "History", environments: { sandbox: targeting } });
  await beAdmin(page);
  await page.goto(`/console/flags/${made.id}/in/sandbox`);
  await page.getByRole("button", { name: "10 %" }).click();
  await page.getByRole("button", { name: "Set to 10 %" }).click();
  await expect(page.getByText("90 % off, 10 % on, by user_id")).toBeVisible();

  const tabs = page.getByRole("navigation", { name: "Parts of History" });
  await tabs.getByRole("link", { name: "History" }).click();
  await accessible(page);
  await page.getByRole("button", { name: "What changed in version 2" }).click();
  const changed = page.getByRole("dialog", { name: "What changed in version 2" });
  await expect(changed.getByRole("row", { name: /environments\.sandbox\.otherwise\.split\.on 10/ })).toBeVisible();
  await accessible(page);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Make it so again, as in version 1" }).click();
  const sure = page.getByRole("dialog", { name: "Make it as in version 1?" });
  await expect(sure.getByRole("row", { name: /environments\.sandbox\.otherwise\.serve off/ })).toBeVisible();
  await sure.getByRole("button", { name: "Make it so again" }).click();
  await expect(page.getByRole("button", { name: "What changed in version 3" })).toBeVisible();
  await tabs.getByRole("link", { name: "sandbox" }).click();
  await expect(page.getByLabel("Share of on", { exact: true })).toHaveValue("0");

  await tabs.getByRole("link", { name: "Comments" }).click();
  await page.getByLabel("Your comment").fill("Waiting for the **tax** tables.");
  await page.getByRole("button", { name: "Say it" }).click();
  const row = page.getByRole("row", { name: /Waiting for the tax tables\./ });
  await expect(row).toBeVisible();
  await expect(page.getByLabel("Your comment")).toHaveValue("");
  await accessible(page);
  await row.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(row).toHaveCount(0);
});

test("how often a flag is asked for is counted, and programs that name it are listed", async ({ page }) => {
  const made = await call<Made>("/feature-flags", { key: `used-${Date.now()}`, title: "Used", environments: { sandbox: targeting } });
  const { key } = await call<{ key: string }>("/sdk-keys", { kind: "server", environment: "sandbox" });
  const asked = await fetch(`${ready().control}/api/v1/feature-flags/${made.key}/evaluate?user_id=1`, { headers: { "x-api-key": key } });
  expect(asked.ok).toBe(true);
  await beAdmin(page);
  await page.goto(`/console/flags/${made.id}`);
  await page.getByRole("navigation", { name: "Parts of Used" }).getByRole("link", { name: "Usage" }).click();
  await expect(page.getByText("No program is known to name it")).toBeVisible();
  await accessible(page);
  const scan = { repository: made.key, commit: "4f0c2a1", references: [{ flag: made.key, path: "src/checkout.ts", line: 12 }] };
  await call("/feature-flags/code-references", scan, "PUT");
  await expect(async () => {
    await page.reload();
    await expect(page.getByRole("heading", { name: "In sandbox" })).toBeVisible({ timeout: 1000 });
  }).toPass({ timeout: 40_000 });
  await expect(page.getByText(/^1 in 30 days\./)).toBeVisible();
  await expect(page.getByText("src/checkout.ts:12")).toBeVisible();
  await accessible(page);
});

test("what a segment was comes back", async ({ page }) => {
  const made = await call<Made>("/segments", { key: `history-${Date.now()}`, title: "Insiders", when: { attribute: "plan", op: "in", values: ["pro"] } });
  await beAdmin(page);
  await page.goto(`/console/segments/${made.id}/edit`);
  await page.getByLabel("Value of plan").fill("team");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("plan is one of pro or team")).toBeVisible();
  await page.getByRole("navigation", { name: "Parts of Insiders" }).getByRole("link", { name: "History" }).click();
  await page.getByRole("button", { name: "Make it so again, as in version 1" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Make it so again" }).click();
  await page.getByRole("navigation", { name: "Parts of Insiders" }).getByRole("link", { name: "Overview" }).click();
  await expect(page.getByText("plan is one of pro", { exact: true })).toBeVisible();
});

test("in a protected environment, a change is proposed, approved by somebody else, and applied", async ({ page, browser }) => {
  test.setTimeout(120_000);
  const name = `guarded-${Date.now()}`;
  await call("/environments", { name, title: "Guarded" });
  const made = await call<Made>("/feature-flags", { key: name, title: "Guarded", environments: { [name]: targeting } });
  await beAdmin(page);
  await page.goto("/console/environments");
  await page.getByRole("row", { name: new RegExp(name) }).getByRole("button", { name: "Protect" }).click();
  await expect(page.getByRole("row", { name: new RegExp(name) })).toContainText("Need somebody's yes");

  const other = await somebody(browser, "Ada", "admin");
  await other.goto(`/console/flags/${made.id}/in/${name}`);
  await expect(other.getByText("Protected")).toBeVisible();
  await other.getByRole("link", { name: "Edit" }).click();
  await other.getByLabel("They get").selectOption("on");
  await other.getByRole("button", { name: "Save changes" }).click();
  const offer = other.getByRole("dialog", { name: "Somebody else has to say yes" });
  await offer.getByLabel("What it is for").fill("A week without complaints.");
  await offer.getByRole("button", { name: "Propose the change" }).click();
  await expect(other.getByRole("heading", { name: "Proposed change", exact: true })).toBeVisible();
  await expect(other.getByText("Somebody else has to approve it.")).toBeVisible();
  await expect(other.getByRole("button", { name: "Approve" })).toHaveCount(0);

  await page.goto(`/console/flags/${made.id}/changes`);
  await expect(page.getByRole("row", { name: /A week without complaints\./ })).toContainText("Ada");
  await accessible(page);
  await page.getByRole("link", { name: "A week without complaints." }).click();
  await expect(page.getByRole("row", { name: /otherwise\.serve off on/ })).toBeVisible();
  await accessible(page);
  await page.getByLabel("Why").fill("Looks good.");
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page.getByText("applied", { exact: true })).toBeVisible();
  await expect(page.getByText("Looks good.")).toBeVisible();

  // Off is for emergencies: it needs nobody's yes.
  await other.goto(`/console/flags/${made.id}/in/${name}`);
  await expect(other.getByRole("heading", { name: "Everybody", exact: true })).toBeVisible();
  await other.getByRole("switch").click();
  await other.getByRole("dialog").getByRole("button", { name: "Turn off" }).click();
  await expect(other.getByRole("switch")).not.toBeChecked();
  await other.context().close();
});
