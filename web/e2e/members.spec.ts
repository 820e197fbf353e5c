/** People: invited, signed in by a link, given another role, removed, with a new password. */
import type { Page } from "@playwright/test";
import { accessible, beAdmin, expect, open, press, ready, signUp, test } from "./support";

const PASSWORD = "a sentence is a good one";
const emailOf = (name: string) => `${name}-${Date.now()}@example.com`;

/** Invites an address in the console and gives its link, shown once. */
async function invite(page: Page, email: string, role: string): Promise<string> {
  await page.goto("/console/members");
  await page.getByRole("button", { name: "Invite somebody" }).click();
  const form = page.getByRole("dialog", { name: "Invite somebody" });
  await form.getByLabel("Email").fill(email);
  await form.getByLabel("Role").selectOption(role);
  await form.getByRole("button", { name: "Make the invitation" }).click();
  const link = page.getByRole("dialog", { name: "The invitation" });
  await link.getByRole("button", { name: "Copy link" }).click();
  await accessible(page);
  const url = await page.evaluate(async () => navigator.clipboard.readText());
  expect(url).toContain("/console/invitation#");
  await link.getByRole("button", { name: "I have copied it" }).click();
  expect(await page.content()).not.toContain(url);
  return url;
}

const invited = (page: Page, email: string) => page.getByRole("region", { name: "Open invitations" }).getByRole("row", { name: email });
const member = (page: Page, email: string) => page.getByRole("region", { name: "Members" }).getByRole("row", { name: email });

test.describe("an invitation", () => {
  test.use({ provokes: /^(400|401|409|410|422|429) .*\/(invitations|auth)/ });

  test("is accepted with a new account, whose role changes and ends", async ({ page, browser }) => {
    const email = emailOf("new");
    await beAdmin(page);
    const url = await invite(page, email, "viewer");
    await expect(invited(page, email)).toContainText("viewer");

    const context = await browser.newContext();
    const other = await context.newPage();
    await open(other, url);
    await expect(other.getByRole("heading", { name: /^Join / })).toBeVisible();
    await accessible(other);
    await other.getByLabel("Name").fill("New");
    await other.getByLabel("Password").fill("short");
    await press(other, "Create account and join");
    await expect(other.getByLabel("Password")).toHaveAttribute("aria-invalid", "true");
    await other.getByLabel("Password").fill(PASSWORD);
    await press(other, "Create account and join");
    await expect(other.getByRole("navigation", { name: "Main" })).toBeVisible();
    await expect(other.getByText(email)).toBeVisible();

    // It works once.
    await other.goto("/console/apis");
    await open(other, url);
    await expect(other.getByRole("alert")).toContainText("link_invalid");
    await context.close();

    await page.reload();
    await expect(invited(page, email)).toHaveCount(0);
    await member(page, email).getByRole("button", { name: "Change role" }).click();
    await page.getByLabel("Role", { exact: true }).selectOption("publisher");
    await accessible(page);
    await page.getByRole("dialog").getByRole("button", { name: "Change role" }).click();
    await expect(member(page, email)).toContainText("publisher");
    await member(page, email).getByRole("button", { name: "Remove" }).click();
    await page.getByRole("dialog", { name: `Remove ${email}?` }).getByRole("button", { name: "Remove" }).click();
    await expect(member(page, email)).toHaveCount(0);
  });

  test("is accepted by who has an account, signed in or not, and by nobody else", async ({ page, browser }) => {
    const context = await browser.newContext({ baseURL: ready().control });
    const other = await context.newPage();
    await other.goto("/portal/sign-up");
    const email = await signUp(other, "Known");
    await beAdmin(page);
    const url = await invite(page, email, "admin");

    // Signed in as somebody else.
    await open(page, url);
    await expect(page.getByRole("heading", { name: "The invitation is for somebody else" })).toBeVisible();
    await accessible(page);

    // Not signed in.
    await other.getByRole("button", { name: "Sign out" }).click();
    await expect(other.getByRole("link", { name: "Sign in" })).toBeVisible();
    await open(other, url);
    await expect(other.getByRole("heading", { name: "Sign in to accept" })).toBeVisible();
    await expect(other.getByLabel("Email")).toHaveValue(email);
    await other.getByLabel("Password").fill(PASSWORD);
    await press(other, "Sign in");

    // Signed in.
    await press(other, "Accept the invitation");
    await expect(other.getByRole("navigation", { name: "Main" })).toBeVisible();
    await expect(other.getByRole("combobox", { name: "Organization" })).toBeVisible();
    await other.getByRole("link", { name: "Members" }).click();
    await expect(member(other, email)).toContainText("(you)");
    await context.close();
  });

  test("that is withdrawn opens nothing", async ({ page, browser }) => {
    const email = emailOf("withdrawn");
    await beAdmin(page);
    const url = await invite(page, email, "viewer");
    await invited(page, email).getByRole("button", { name: "Withdraw" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Withdraw" }).click();
    await expect(invited(page, email)).toHaveCount(0);
    const context = await browser.newContext();
    const other = await context.newPage();
    await open(other, url);
    await expect(other.getByRole("alert")).toContainText("link_invalid");
    await other.goto(`${ready().control}/console/invitation`);
    await expect(other.getByRole("heading", { name: "The link is not whole" })).toBeVisible();
    await context.close();
  });
});

test("a forgotten password is replaced by a link", async ({ page, browser }) => {
  const email = emailOf("forgetful");
  await beAdmin(page);
  const url = await invite(page, email, "viewer");
  const context = await browser.newContext();
  const other = await context.newPage();
  await open(other, url);
  await other.getByLabel("Name").fill("Forgetful");
  await other.getByLabel("Password").fill(PASSWORD);
  await press(other, "Create account and join");
  await expect(other.getByRole("navigation", { name: "Main" })).toBeVisible();

  await page.reload();
  await member(page, email).getByRole("button", { name: "New password" }).click();
  await page.getByRole("button", { name: "Make a link" }).click();
  const link = (await page.getByRole("region", { name: "Link" }).textContent()) ?? "";
  expect(link).toContain("/console/reset#");

  await open(other, link);
  await other.getByLabel("New password").fill("another sentence, longer");
  await accessible(other);
  await press(other, "Change password");
  await expect(other.getByRole("heading", { name: "The password is changed" })).toBeVisible();
  await other.getByRole("link", { name: "Sign in" }).click();
  await other.getByLabel("Email").fill(email);
  await other.getByLabel("Password").fill("another sentence, longer");
  await press(other, "Sign in");
  await expect(other.getByRole("navigation", { name: "Main" })).toBeVisible();
  await context.close();
});
