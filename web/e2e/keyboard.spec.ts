/** The keyboard alone is enough. */
import type { Page } from "@playwright/test";
import { expect, offer, ready, test } from "./support";

/** Goes on with Tab until something has the focus; fails when it cannot be reached. */
async function tabTo(page: Page, role: "button" | "link" | "textbox" | "combobox" | "checkbox", name: string | RegExp): Promise<void> {
  const wanted = page.getByRole(role, { name, exact: typeof name === "string" }).first();
  await wanted.waitFor();
  for (let presses = 0; presses < 80; presses += 1) {
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  await expect(wanted, "can be reached with Tab").toBeFocused();
}

test("from the sign-in to a policy without a mouse, and the focus is where one expects it", async ({ page }) => {
  const made = await offer(`Typed ${Date.now()}`);
  await page.goto(`/console/apis/${made.api}/policies`);
  await tabTo(page, "textbox", "Email");
  await page.keyboard.type(ready().admin.email);
  await tabTo(page, "textbox", "Password");
  await page.keyboard.type(ready().admin.password);
  await page.keyboard.press("Enter");

  await tabTo(page, "link", "Add a policy");
  await page.keyboard.press("Enter");
  await tabTo(page, "combobox", "Policy");
  await page.keyboard.type("CORS");
  await tabTo(page, "textbox", "Origins 1");
  await page.keyboard.type("https://app.example.com");
  await tabTo(page, "button", "Add to Origins");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("textbox", { name: "Origins 2" })).toBeFocused();
  await page.keyboard.type("https://two.example.com");
  await tabTo(page, "button", "Remove Origins 2");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Add to Origins" })).toBeFocused();
  await tabTo(page, "checkbox", /^Credentials/);
  await page.keyboard.press("Space");
  await tabTo(page, "button", "Add policy");
  await page.keyboard.press("Enter");

  await expect(page.getByRole("cell", { name: /app\.example\.com/ })).toContainText('"credentials":true');
  await tabTo(page, "button", "Remove");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: "Remove CORS?" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Remove" })).toBeFocused();
});
