import { accessible, expect, offer, signUp, test } from "./support";

test("from the catalogue to a counted call in one go", async ({ page }) => {
  const made = await offer("Journey");
  await page.goto("/portal/");
  await page.getByRole("searchbox").fill("journey");
  await page.getByRole("link", { name: "Journey" }).first().click();
  await expect(page).toHaveURL(new RegExp(`/portal/products/${made.product}`));
  await page.getByRole("link", { name: "Get a key" }).first().click();

  await expect(page).toHaveURL(/sign-up/);
  await signUp(page, "Ada");
  await page.getByLabel("Name of the application").fill("First app");
  await page.getByRole("button", { name: "Subscribe and make a key" }).click();

  const snippet = page.getByRole("tabpanel");
  await expect(snippet).toContainText("curl");
  await accessible(page);
  const text = (await snippet.textContent()) ?? "";
  const key = /gl_[A-Za-z0-9_-]+/.exec(text)?.[0] ?? "";
  const url = /http[^'"\s]+/.exec(text)?.[0] ?? "";
  expect(key).toMatch(/^gl_sandbox_/);
  for (const language of ["JavaScript", "Python"]) {
    await page.getByRole("tab", { name: language }).click();
    await expect(snippet).toContainText(key);
  }

  // The key is known to gateways within a second.
  await expect.poll(async () => (await fetch(url, { headers: { "x-api-key": key } })).status, { timeout: 5000 }).toBe(200);

  await page.getByRole("link", { name: "Watch the usage" }).click();
  await expect(page.getByRole("cell", { name: "list_pets" })).toBeVisible();
  const calls = page.getByRole("row", { name: /list_pets/ }).getByRole("cell").nth(1);
  const before = Number(await calls.textContent());
  await fetch(url, { headers: { "x-api-key": key } });
  await expect(calls).toHaveText(String(before + 1), { timeout: 3000 });

  // Nothing shows the key again.
  await page.getByRole("link", { name: "Keys" }).click();
  await expect(page.getByRole("cell", { name: /^gl_sandbox_/ })).toBeVisible();
  expect(await page.content()).not.toContain(key);
});

test("a key is rotated with an overlap and revoked after a question", async ({ page }) => {
  const made = await offer("Rotated");
  await page.goto(`/portal/products/${made.product}/subscribe`);
  await signUp(page, "Grace");
  await page.getByLabel("Name of the application").fill("Rotating app");
  await page.getByRole("button", { name: "Subscribe and make a key" }).click();
  const old = /gl_[A-Za-z0-9_-]+/.exec((await page.getByRole("tabpanel").textContent()) ?? "")?.[0] ?? "";
  const url = /http[^'"\s]+/.exec((await page.getByRole("tabpanel").textContent()) ?? "")?.[0] ?? "";
  const status = async (key: string) => (await fetch(url, { headers: { "x-api-key": key } })).status;

  await page.getByRole("link", { name: "Watch the usage" }).click();
  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByRole("button", { name: "Rotate" }).click();
  await accessible(page);
  await page.getByRole("button", { name: "Rotate key" }).click();
  const dialog = page.getByRole("dialog", { name: "Your new key" });
  const young = /gl_[A-Za-z0-9_-]+/.exec((await dialog.getByRole("tabpanel").textContent()) ?? "")?.[0] ?? "";
  await dialog.getByRole("button", { name: "I have kept it" }).click();
  expect(young).not.toBe(old);
  await expect.poll(() => status(young), { timeout: 5000 }).toBe(200);
  expect(await status(old)).toBe(200);

  // A list shows the first 12 characters of a key's id.
  const row = page.getByRole("row", { name: young.slice(0, "gl_sandbox_".length + 12) });
  await row.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("dialog", { name: "Revoke the key?" }).getByRole("button", { name: "Revoke" }).click();
  await expect(row.getByText("revoked")).toBeVisible();
  await expect.poll(() => status(young), { timeout: 5000 }).toBe(401);
});

test("a try-it call of the reference stays on our origin and reaches the service", async ({ page }) => {
  const made = await offer("Tried");
  await page.goto(`/portal/products/${made.product}/subscribe`);
  await signUp(page, "Joan");
  await page.getByLabel("Name of the application").fill("Trying app");
  await page.getByRole("button", { name: "Subscribe and make a key" }).click();
  const key = /gl_[A-Za-z0-9_-]+/.exec((await page.getByRole("tabpanel").textContent()) ?? "")?.[0] ?? "";
  await page.getByRole("link", { name: "Read the reference" }).click();

  await page.getByRole("button", { name: "Test Request" }).first().click();
  const client = page.getByRole("dialog").last();
  await client.getByRole("textbox", { name: /value/i }).first().fill(key);
  const answered = page.waitForResponse((response) => response.url().includes(`/api/v1/try/${made.version}/`));
  await client.getByRole("button", { name: /^Send/ }).first().click();
  const response = await answered;
  expect(response.status()).toBe(200);
  expect(await response.json()).toMatchObject({ pets: [{ name: "Toto" }] });
});

test.describe("a short password", () => {
  test.use({ provokes: /^4\d\d .*\/auth\/sign-up$/ });

  test("is refused at its field", async ({ page }) => {
    await page.goto("/portal/sign-up");
    await page.getByLabel("Name", { exact: true }).fill("Short");
    await page.getByLabel("Email").fill("short@example.com");
    await page.getByLabel("Password").fill("short");
    await page.getByRole("button", { name: "Create account" }).click();
    await expect(page.getByLabel("Password")).toHaveAttribute("aria-invalid", "true");
  });
});
