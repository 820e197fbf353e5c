/** Certificates: what is wrong with one is told at its field; one that is ordered shows how that goes. */
import { accessible, beAdmin, expect, test } from "./support";

test.use({ provokes: /^400 .*\/certificates$/ });

test("a certificate that cannot be one is refused at its field, an order is made and removed", async ({ page }) => {
  await beAdmin(page);
  const name = `shop-${Date.now()}`;
  await page.goto("/console/certificates");
  await page.getByRole("link", { name: "Add a certificate" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("textbox", { name: "Hosts" }).fill(`${name}.example.com`);
  await page.getByLabel("Certificates", { exact: true }).fill("no certificate");
  await page.getByRole("button", { name: "Add certificate" }).click();
  await expect(page.getByLabel("Certificates", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await accessible(page);

  await page.getByLabel("Order it").check();
  await page.getByLabel("Directory").fill("https://127.0.0.1:9/directory");
  await page.getByLabel("I agree to the server's terms of service").check();
  await page.getByLabel("Certificates of clients").selectOption("optional");
  await expect(page.getByLabel("Authorities of clients")).toBeVisible();
  await page.getByLabel("Certificates of clients").selectOption("none");
  await page.getByRole("button", { name: "Add certificate" }).click();

  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Order" })).toBeVisible();
  await expect(page.getByRole("textbox", { name: "Hosts" })).toHaveValue(`${name}.example.com`);
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("heading", { name: "Certificates", level: 1 })).toBeVisible();
  await expect(page.getByRole("link", { name })).toHaveCount(0);
});
