import { accessible, beAdmin, contract, expect, offer, ready, service, signIn, test } from "./support";

test.describe("with a wrong password", () => {
  test.use({ provokes: /^401 .*\/auth\/sessions$/ });

  test("nobody gets in and the reason is told", async ({ page }) => {
    await page.goto("/console/");
    await expect(page).toHaveURL(/\/console\/sign-in\?next=/);
    await page.getByLabel("Email").fill(ready().admin.email);
    await page.getByLabel("Password").fill("not the password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText(/request/i);
  });
});

test("a bad contract shows its findings, a good one is published", async ({ page }) => {
  await signIn(page);
  await page.goto("/console/apis");
  await page.getByRole("link", { name: "Import an API" }).first().click();

  const bad = contract("Imported").replace("description: The pets", "$ref: '#/components/responses/Nowhere'");
  await page.getByLabel("Contract file").setInputFiles({ name: "bad.yaml", mimeType: "application/yaml", buffer: Buffer.from(bad) });
  const findings = page.getByRole("region", { name: "Findings" });
  await expect(findings.getByText("error", { exact: true }).first()).toBeVisible();
  await expect(findings.getByText(/line \d+, column \d+/).first()).toBeVisible();
  await accessible(page);
  await expect(page.getByRole("button", { name: /^Import/ })).toBeDisabled();
  await findings.getByRole("button").first().click();
  await expect(page.getByRole("textbox", { name: "Contract" })).toBeFocused();

  await page.getByLabel("Contract file").setInputFiles({ name: "good.yaml", mimeType: "application/yaml", buffer: Buffer.from(contract("Imported")) });
  await expect(findings.getByText("error", { exact: true })).toHaveCount(0);
  await page.getByLabel("Upstream URL").fill(service());
  await page.getByRole("button", { name: "Import and publish" }).click();

  await expect(page.getByRole("heading", { name: /^Imported/, level: 1 })).toBeVisible();
  await expect(page.getByText(`${ready().gateway}/imported`).first()).toBeVisible();
  await page.getByRole("link", { name: "Operations", exact: true }).click();
  await expect(page.getByRole("cell", { name: "/pets/{pet_id}" })).toBeVisible();
});

test("what is typed into the editor is looked at", async ({ page }) => {
  await beAdmin(page);
  await page.goto("/console/apis/import");
  const editor = page.getByRole("textbox", { name: "Contract" });
  await editor.press("Control+a");
  await editor.pressSequentially("hello: world");
  await expect(page.getByRole("region", { name: "Findings" }).getByText("error", { exact: true }).first()).toBeVisible();
});

test.describe("a form", () => {
  test.use({ provokes: /^409 .*\/plans$/ });

  test("says what is wrong at the field, asks before it forgets, and saves", async ({ page }) => {
    await beAdmin(page);
    await page.goto("/console/plans/new");
    await page.getByLabel("Title").fill("Team");
    await page.getByLabel("Name", { exact: true }).fill("free");
    await page.getByRole("button", { name: "Create plan" }).click();
    await expect(page.getByRole("alert").or(page.locator("[aria-invalid=true]")).first()).toBeVisible();

    await page.getByRole("link", { name: "Cancel" }).click();
    const question = page.getByRole("dialog", { name: "Leave without saving?" });
    await question.getByRole("button", { name: "Cancel" }).click();
    await expect(page.getByLabel("Title")).toHaveValue("Team");

    await page.getByLabel("Name", { exact: true }).fill(`team-${Date.now()}`);
    await page.getByRole("button", { name: "Create plan" }).click();
    await expect(page.getByRole("heading", { name: "Team", level: 1 })).toBeVisible();
    await expect(page.getByText("100 per minute")).toBeVisible();

    await page.getByRole("link", { name: "Change" }).click();
    await page.getByRole("textbox", { name: "Rate limit" }).fill("250");
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(page.getByText("250 per minute")).toBeVisible();
  });
});

test("the search finds an API by a few letters, with the keyboard alone", async ({ page }) => {
  await offer("Findable");
  await beAdmin(page);
  await page.goto("/console/");
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search" }).fill("findab");
  await expect(page.getByRole("option", { name: /Findable/ }).first()).toBeVisible();
  await accessible(page);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: /^Findable/, level: 1 })).toBeVisible();
});

test("the audit shows what changed and verifies its chain", async ({ page }) => {
  // An import of what is there already changes nothing.
  await offer(`Audited ${Date.now()}`);
  await beAdmin(page);
  await page.goto("/console/audit");
  await page.getByLabel("Action").selectOption("import_api");
  await page.getByRole("row", { name: /import_api/ }).first().getByRole("button", { name: "Show" }).click();
  await expect(page.getByRole("dialog").getByRole("columnheader", { name: "After" })).toBeVisible();
  await accessible(page);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Verify the chain" }).click();
  await expect(page.getByText(/entries are as they were written/)).toBeVisible();
});
