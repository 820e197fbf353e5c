/** Keys and applications, in the console and in the portal. */
import { type Page } from "@playwright/test";
import { accessible, beAdmin, call, expect, offer, ready, signUp, test } from "./support";

/** What the gateway answers to a key. */
const status = async (path: string, key: string) => (await fetch(ready().gateway + path, { headers: { "x-api-key": key } })).status;

/** The key that is shown once, and goes on. */
async function kept(page: Page): Promise<string> {
  const dialog = page.getByRole("dialog", { name: "Your new key" });
  const key = /gl_[A-Za-z0-9_-]+/.exec((await dialog.locator("code").first().textContent()) ?? "")?.[0] ?? "";
  await dialog.getByRole("button", { name: "I have kept it" }).click();
  return key;
}

/** The row of a key; a list shows the first 12 characters of its id. */
const rowOf = (page: Page, key: string) => page.getByRole("row", { name: key.slice(0, "gl_sandbox_".length + 12) });

test.describe("an application", () => {
  test.use({ provokes: /^(400|409|422) .*\/(applications|keys)/ });

  test("of the console is changed; its keys end when they are told to", async ({ page }) => {
    const stamp = Date.now();
    const made = await offer(`Keyed ${stamp}`);
    const application = await call("/applications", { name: `app-${stamp}`, title: "Before", description: "" });
    const plans = await call<{ data: { id: string }[] }>("/plans?filter[name]=free");
    await call("/subscriptions", { application_id: application["id"], product_id: made.product, plan_id: plans.data[0]?.id });
    await beAdmin(page);
    await page.goto(`/console/applications/${application["id"]}`);
    await page.getByRole("link", { name: "Change" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Not a name");
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(page.getByLabel("Name", { exact: true })).toHaveAttribute("aria-invalid", "true");
    await page.getByLabel("Name", { exact: true }).fill(`app-${stamp}`);
    await page.getByLabel("Title").fill("After");
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(page.getByRole("heading", { name: "After", level: 1 })).toBeVisible();

    await page.getByRole("button", { name: "Create a key" }).click();
    await page.getByLabel("Title").fill("Laptop");
    await page.getByLabel("Environment").selectOption("sandbox");
    await page.getByLabel("Ends").selectOption("At a moment");
    await page.getByLabel("Moment").fill("2001-01-01T00:00");
    await page.getByRole("button", { name: "Create key" }).click();
    await expect(page.getByLabel("Moment")).toHaveAttribute("aria-invalid", "true");
    await accessible(page);
    await page.getByLabel("Ends").selectOption("In 30 days");
    await page.getByRole("button", { name: "Create key" }).click();
    const key = await kept(page);
    const path = `/keyed-${stamp}/pets`;
    await expect.poll(() => status(path, key), { timeout: 5000 }).toBe(200);
    await expect(rowOf(page, key)).toContainText("in 30 days");

    // Calls are counted within two seconds.
    await expect(async () => {
      await page.reload();
      await expect(rowOf(page, key)).toContainText("this hour", { timeout: 2000 });
    }).toPass();

    await rowOf(page, key).getByRole("button", { name: "Change" }).click();
    const form = page.getByRole("dialog", { name: "Change the key" });
    await expect(form.getByLabel("Ends")).toHaveValue("at");
    await form.getByLabel("Title").fill("Desk");
    await form.getByLabel("Ends").selectOption("Never");
    await accessible(page);
    await form.getByRole("button", { name: "Save changes" }).click();
    await expect(rowOf(page, key)).toContainText("Desk");
    await expect(rowOf(page, key)).toContainText("Never");
  });

  test("of the portal is changed; its key is rotated without an overlap", async ({ page }) => {
    const made = await offer(`Turned ${Date.now()}`);
    await page.goto(`/portal/products/${made.product}/subscribe`);
    await signUp(page, "Barbara");
    await page.getByLabel("Name of the application").fill("Turning app");
    await page.getByRole("button", { name: "Subscribe and make a key" }).click();
    const shown = (await page.getByRole("tabpanel").textContent()) ?? "";
    const old = /gl_[A-Za-z0-9_-]+/.exec(shown)?.[0] ?? "";
    const { pathname } = new URL(/http[^'"\s]+/.exec(shown)?.[0] ?? "");
    await expect.poll(() => status(pathname, old), { timeout: 5000 }).toBe(200);
    await page.getByRole("link", { name: "Watch the usage" }).click();

    await page.getByRole("link", { name: "Change", exact: true }).click();
    await page.getByLabel("Title").fill("Turned app");
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(page.getByRole("heading", { name: "Turned app", level: 1 })).toBeVisible();

    await page.getByRole("link", { name: "Keys" }).click();
    await rowOf(page, old).getByRole("button", { name: "Change" }).click();
    await page.getByLabel("Title").fill("Server");
    await page.getByLabel("Ends").selectOption("In a year");
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(rowOf(page, old)).toContainText("Server");
    await page.getByRole("button", { name: "Rotate" }).click();
    await page.getByLabel("Overlap").selectOption("Stop the old key now");
    await page.getByRole("button", { name: "Rotate key" }).click();
    const young = await kept(page);
    await expect.poll(() => status(pathname, young), { timeout: 5000 }).toBe(200);
    await expect.poll(() => status(pathname, old), { timeout: 5000 }).toBe(401);
    await expect(rowOf(page, young)).toContainText("Server");
  });
});
