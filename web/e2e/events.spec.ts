/** Event types and SDK keys: declared, made, used from a page, counted, changed. */
import { createDecipheriv } from "node:crypto";
import { accessible, beAdmin, call, expect, ready, test } from "./support";

test("an event type is declared, its events are counted and it is archived", async ({ page }) => {
  await beAdmin(page);
  const name = `bought.${Date.now()}`;
  await page.goto("/console/events/new");
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Title").fill("Bought");
  await page.getByLabel("Schema of the properties").fill('{ "type": "object", "required": ["price"] }');
  await page.getByRole("button", { name: "Declare event type" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Bought" })).toBeVisible();
  await expect(page.getByText('"required"')).toBeVisible();

  const key = await call<{ key: string }>("/sdk-keys", { kind: "client", environment: "sandbox" });
  const body = JSON.stringify({ type: name, id: "1", anonymous_id: "visitor", properties: { price: 2 } });
  for (const accepted of [1, 0]) {
    const answer = await page.request.post(`/api/v1/tracking/events?key=${key.key}`, { data: body, headers: { "content-type": "text/plain" } });
    expect(await answer.json()).toEqual({ accepted, duplicates: 1 - accepted });
  }
  // A page of ours uses it as any other page would.
  const sent = await page.evaluate(
    ([url, text]) => navigator.sendBeacon(url ?? "", text ?? ""),
    [`${ready().control}/api/v1/tracking/events?key=${key.key}`, body.replace('"id":"1"', '"id":"2"')],
  );
  expect(sent).toBe(true);
  await expect(page.getByText(/^2 events with/)).toBeVisible({ timeout: 15_000 });

  await page.getByRole("link", { name: "Change" }).click();
  await page.getByLabel("State").selectOption("archived");
  await page.getByLabel("Schema of the properties").fill("");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("Archived", { exact: false }).first()).toBeVisible();
  await expect(page.getByText('"required"')).toHaveCount(0);
});

test.describe("what is wrong", () => {
  test.use({ provokes: /^400 .*\/event-types$/ });

  test("is said beside its field", async ({ page }) => {
    await beAdmin(page);
    await page.goto("/console/events/new");
    await page.getByLabel("Name").fill("1st");
    await page.getByLabel("Title").fill("First");
    await page.getByRole("button", { name: "Declare event type" }).click();
    await expect(page.getByText(/is not the name of an event type/).first()).toBeVisible();
    await page.getByLabel("Name").fill(`first.${Date.now()}`);
    await page.getByLabel("Schema of the properties").fill('{ "type": "objekt" }');
    await page.getByRole("button", { name: "Declare event type" }).click();
    await expect(page.getByText(/It is not a JSON Schema/).first()).toBeVisible();
  });
});

test("an SDK key is made, shown once, changed, rotated and revoked", async ({ page }) => {
  await beAdmin(page);
  await page.goto("/console/sdk-keys");
  const title = `Shop ${Date.now()}`;
  await page.getByRole("button", { name: "Create an SDK key" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Create an SDK key" });
  await dialog.getByLabel("Kind").selectOption("client");
  await dialog.getByLabel("Title").fill(title);
  await dialog.getByLabel("Origins").fill("https://shop.example");
  await dialog.getByLabel("Rate limit").fill("600");
  await dialog.getByRole("button", { name: "Create key" }).click();
  const issued = page.getByRole("dialog", { name: "Your new key" });
  await expect(issued.getByText(/^gl_sandbox_/)).toBeVisible();
  await issued.getByRole("button", { name: "I have kept it" }).click();
  const row = page.getByRole("row", { name: new RegExp(title) });
  await expect(row.getByText("600 per minute")).toBeVisible();
  await row.getByRole("button", { name: "Change" }).click();
  const change = page.getByRole("dialog", { name: "Change the key" });
  await expect(change.getByLabel("Origins")).toHaveValue("https://shop.example");
  await expect(change.getByLabel("Rate limit")).toHaveValue("600");
  await change.getByLabel("Rate limit").fill("");
  await change.getByLabel("Title").fill(`${title} and blog`);
  await change.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText(`${title} and blog`)).toBeVisible();
  await expect(row.getByText("600 per minute")).toHaveCount(0);
  await row.getByRole("button", { name: "Rotate" }).click();
  await page.getByRole("button", { name: "Rotate key" }).click();
  await page.getByRole("dialog", { name: "Your new key" }).getByRole("button", { name: "I have kept it" }).click();
  await expect(row).toHaveCount(2);
  await row.first().getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await expect(row.first().getByText("Revoked")).toBeVisible();
});

/** What an SDK of GrowthBook reads with its two keys. */
async function decrypted(key: string, payloadKey: string): Promise<unknown> {
  const answer = await fetch(`${ready().control}/api/features/${key}`);
  const { encryptedFeatures } = (await answer.json()) as { encryptedFeatures: string };
  const [iv = "", text = ""] = encryptedFeatures.split(".");
  const cipher = createDecipheriv("aes-128-cbc", Buffer.from(payloadKey, "base64"), Buffer.from(iv, "base64"));
  return JSON.parse(cipher.update(text, "base64", "utf8") + cipher.final("utf8"));
}

test("an SDK key with an encrypted payload is made and rotated, each time with a payload key of its own", async ({ page }) => {
  const flag = await call<{ key: string }>("/feature-flags", { key: `encrypted-${Date.now()}`, environments: { sandbox: { off: "off", otherwise: { serve: "on" } } } });
  await beAdmin(page);
  await page.goto("/console/sdk-keys");
  const title = `Encrypted ${Date.now()}`;
  await page.getByRole("button", { name: "Create an SDK key" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Create an SDK key" });
  const encrypt = dialog.getByRole("checkbox", { name: /Encrypt the payload/ });
  await encrypt.check();
  // Keys of clients get values and no features.
  await dialog.getByLabel("Kind").selectOption("client");
  await expect(encrypt).toHaveCount(0);
  await dialog.getByLabel("Kind").selectOption("server");
  await expect(encrypt).toBeChecked();
  await dialog.getByLabel("Title").fill(title);
  await accessible(page);
  await dialog.getByRole("button", { name: "Create key" }).click();

  const issued = page.getByRole("dialog", { name: "Your new key" });
  const row = page.getByRole("row", { name: new RegExp(title) });
  const texts = async () => {
    await expect(issued.getByRole("heading", { name: "Payload key" })).toBeVisible();
    const [key = "", payloadKey = ""] = await issued.locator("code[title]").allTextContents();
    await accessible(page);
    await issued.getByRole("button", { name: "I have kept them" }).click();
    return { key, payloadKey };
  };
  const first = await texts();
  expect(await decrypted(first.key, first.payloadKey)).toMatchObject({ [flag.key]: { defaultValue: true } });
  await expect(row).toContainText(/Server\s*encrypted/);
  await page.getByLabel("Kind").selectOption("client");
  await expect(row).toHaveCount(0);
  await page.getByLabel("Kind").selectOption("server");
  await page.getByLabel("Environment").selectOption("sandbox");
  await row.getByRole("button", { name: "Rotate" }).click();
  await page.getByRole("button", { name: "Rotate key" }).click();
  const second = await texts();
  expect(second.payloadKey).not.toBe(first.payloadKey);
  expect(await decrypted(second.key, second.payloadKey)).toMatchObject({ [flag.key]: { defaultValue: true } });
});
