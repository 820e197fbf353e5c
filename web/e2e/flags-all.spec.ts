/** What is said of all flags at once: for one person, proposals, what is left out, what names a segment. */
import { inProduction, key, make, part } from "./flags";
import { accessible, beAdmin, call, expect, somebody, test } from "./support";

const tab = (name: string) => ({ name, exact: true });

test("one person asks all flags, and each answer leads to its steps", async ({ page }) => {
  const name = key("everything");
  const staff = { name: "staff", when: { attribute: "team", op: "in", values: ["a"] }, serve: "on" };
  const flags = [
    await make(`${name}-staff`, { rules: [staff] }),
    await make(`${name}-half`, { otherwise: { split: { on: 100 }, by: "device" } }),
    await make(`${name}-off`, { enabled: false }),
  ];
  await beAdmin(page);
  await page.goto("/console/flags");
  await page.getByRole("navigation", { name: "Feature flags" }).getByRole("link", tab("For one person")).click();
  await expect(page.getByText(/gateline flags evaluate --all --environment production/)).toBeVisible();
  await accessible(page);

  await page.getByRole("button", { name: "Add to attributes" }).click();
  await page.getByLabel("Attribute 2: name").fill("team");
  await page.getByLabel("Value of team").fill("a");
  await page.getByRole("button", { name: "Show what they get" }).click();
  await page.getByLabel("Search flags").fill(name);
  await expect(page).toHaveURL(/q=everything/);
  const row = (place: number) => page.getByRole("row", { name: new RegExp(flags[place]?.key ?? "") });
  await expect(row(0)).toContainText("Rule or override, rule staff");
  await expect(row(1)).toContainText("Unit not known");
  await expect(row(2)).toContainText("Off");
  await expect(page.getByRole("table", { name: "" }).getByRole("row")).toHaveCount(4);
  await accessible(page);
  // Who it is about stands in no address.
  expect(page.url()).toMatch(/environment=production/);
  expect(page.url()).not.toMatch(/team|=a(&|$)/);

  await page.getByLabel("Why").selectOption("Unit not known");
  await expect(row(0)).toHaveCount(0);
  await page.getByRole("button", { name: "Add to attributes" }).click();
  await page.getByLabel("Attribute 3: name").fill("device");
  await page.getByLabel("Value of device").fill("d1");
  await page.getByRole("button", { name: "Show what they get" }).click();
  await expect(page.getByText("Nothing matches")).toBeVisible();
  await page.getByLabel("Why").selectOption("Split");
  await expect(row(1)).toContainText("true");
  await expect(row(1).getByRole("cell").last()).toHaveText("device");

  await row(1).getByRole("link").click();
  await expect(page.getByRole("group", { name: "Answer" })).toContainText("They get on");
  await expect(part(page, "Everybody")).toContainText(/By device they are at \d+\.\d+ % of all/);
  await expect(page.getByLabel("Value of team")).toHaveValue("a");
  // Back there, and after a reload, it is about the same person.
  await page.goBack();
  await expect(row(1)).toContainText("device");
  await page.reload();
  await expect(page.getByLabel("Value of device")).toHaveValue("d1");
  await expect(row(1)).toContainText("device");
});

test("many flags answer in pages", async ({ page }) => {
  const name = key("many");
  await Promise.all(Array.from({ length: 60 }, (_, place) => make(`${name}-${place}`)));
  await beAdmin(page);
  await page.goto("/console/flags/try");
  await page.getByRole("button", { name: "Show what they get" }).click();
  await page.getByLabel("Search flags").fill(name);
  await expect(page.getByRole("cell", { name: /^many-/ })).toHaveCount(50);
  await page.getByRole("button", { name: "Next page" }).click();
  await expect(page.getByRole("cell", { name: /^many-/ })).toHaveCount(10);
  await expect(page.getByRole("button", { name: "Next page" })).toBeDisabled();
});

test.describe("an attribute of no known kind", () => {
  test.use({ provokes: /^400 .*\/feature-flags\/try$/ });

  test("is told at its field", async ({ page }) => {
    await beAdmin(page);
    await page.goto("/console/flags/try");
    await page.getByLabel("Value of user_id").fill("[1]");
    await page.getByRole("button", { name: "Show what they get" }).click();
    await expect(page.getByLabel("Value of user_id")).toHaveAttribute("aria-invalid", "true");
    await accessible(page);
  });
});

test("what SDKs of other products are not given is listed with the reasons, and said where keys are", async ({ page }) => {
  const made = await make("left-out", { otherwise: { split: { on: 50, off: 50 }, by: "user_id" } });
  await beAdmin(page);
  await page.goto("/console/sdk-keys");
  const hint = page.getByRole("note");
  await expect(hint).toContainText(/in production Unleash \d+ flags?, GrowthBook \d+ flags?/);
  await accessible(page);
  await hint.getByRole("link", { name: "in production" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Feature flags" })).toBeVisible();
  await page.getByLabel("Search flags that are left out").fill(made.key);
  const row = (product: string) => page.getByRole("row", { name: new RegExp(`${made.key}.*${product}`) });
  await expect(row("Unleash")).toContainText("Unleash puts units in another order");
  await expect(row("GrowthBook")).toBeVisible();
  await expect(row("flagd")).toHaveCount(0);
  await accessible(page);
  await page.getByLabel("Left out for").selectOption("GrowthBook");
  await expect(row("Unleash")).toHaveCount(0);
  await row("GrowthBook").getByRole("link", { name: made.key }).click();
  await page.getByText("Not given to SDKs of Unleash, GrowthBook").click();
  await page.getByRole("link", { name: "All that is left out in production" }).click();
  await expect(page.getByLabel("Environment")).toHaveValue("production");
  await page.getByRole("link", { name: /for Unleash in production$/ }).click();
  await expect(page.getByLabel("Left out for")).toHaveValue("unleash");
});

test("proposals of all flags are decided in one place", async ({ page, browser }) => {
  const made = [await make("first"), await make("second")];
  const environments = await call<{ data: { id: string; name: string }[] }>("/environments?filter[name]=production");
  const [production] = environments.data;
  const patch = { environments: { production: { otherwise: { serve: "on" } } } };
  for (const flag of made) await call(`/feature-flags/${flag.id}/change-requests`, { patch, comment: `For ${flag.key}` });
  expect(production?.name).toBe("production");
  const other = await somebody(browser, "Bo", "publisher");
  await other.goto("/console/flags/changes");
  const row = (place: number) => other.getByRole("row", { name: new RegExp(`For ${made[place]?.key}`) });
  await expect(row(0)).toContainText("production");
  await expect(row(1)).toContainText("open");
  await accessible(other);
  await row(0).getByRole("button", { name: /^Decide about the change of first-/ }).click();
  const shown = other.getByRole("dialog", { name: /^Proposed change of first-/ });
  await expect(shown.getByRole("row", { name: /environments\.production\.otherwise\.serve off on/ })).toBeVisible();
  await accessible(other);
  await shown.getByLabel("Why").fill("Fine.");
  await shown.getByRole("button", { name: "Approve" }).click();
  await expect(row(0)).toContainText("approved");
  await row(1).getByRole("button", { name: /^Decide/ }).click();
  await other.getByRole("dialog").getByRole("button", { name: "Reject" }).click();
  await expect(row(1)).toHaveCount(0);

  // The author applies what was approved, and finds what was not among all.
  await beAdmin(page);
  await page.goto("/console/flags");
  await page.getByRole("navigation", { name: "Feature flags" }).getByRole("link", tab("Proposals")).click();
  const own = page.getByRole("row", { name: new RegExp(`For ${made[0]?.key}`) });
  await expect(own).toContainText("You");
  await own.getByRole("button", { name: /^Decide/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Apply" }).click();
  await expect(own).toHaveCount(0);
  expect((await inProduction(made[0] ?? { id: "", key: "" }))?.otherwise).toEqual({ serve: "on" });
  // Where nothing waits, there is no list to narrow.
  await page.goto("/console/flags/changes?state=rejected");
  await expect(page.getByRole("row", { name: new RegExp(`For ${made[1]?.key}`) })).toContainText("rejected");
  await page.getByLabel("State").selectOption("All");
  await expect(own).toContainText("applied");
  await own.getByRole("link", { name: `For ${made[0]?.key}` }).click();
  await expect(page.getByRole("heading", { name: "Proposed change" })).toBeVisible();
  await other.context().close();
});

test("a segment lists what names it, with the environments", async ({ page }) => {
  const when = { attribute: "team", op: "in", values: ["a"] };
  const staff = await call<{ id: string; key: string }>("/segments", { key: key("staff"), when });
  const testers = await call<{ id: string; key: string }>("/segments", { key: key("testers"), when: { any: [{ segment: staff.key }] } });
  await beAdmin(page);
  await page.goto(`/console/segments/${testers.id}`);
  await expect(page.getByText("Nothing names it")).toBeVisible();
  const direct = await make("direct", { rules: [{ when: { segment: staff.key }, serve: "on" }] });
  const through = await make("through", { rules: [{ when: { segment: testers.key }, serve: "on" }] });
  await page.goto(`/console/segments/${staff.id}`);
  const table = page.getByRole("region", { name: "What names it" });
  await expect(table.getByRole("row", { name: new RegExp(direct.key) })).toContainText("production");
  await expect(table.getByRole("row", { name: new RegExp(through.key) })).toContainText(`only through ${testers.key}`);
  await accessible(page);
  await page.getByLabel("Search what names it").fill("direct");
  await expect(table.getByRole("row")).toHaveCount(2);
  await table.getByRole("link", { name: "production" }).click();
  await expect(part(page, "Rule #1")).toContainText(`In the segment ${staff.key}`);
  await page.goto(`/console/segments/${staff.id}`);
  await table.getByRole("link", { name: testers.key }).click();
  await expect(page.getByRole("heading", { level: 1, name: testers.key })).toBeVisible();
  await expect(table.getByRole("row", { name: new RegExp(through.key) })).not.toContainText("only through");
});

test("a share of nobody or of all goes on by the same units", async ({ page }) => {
  const made = await make("units", { otherwise: { split: { on: 10, off: 90 }, by: "device", or_by: ["session_id"] } });
  await beAdmin(page);
  await page.goto(`/console/flags/${made.id}/in/production`);
  const set = async (share: string) => {
    await page.getByRole("button", tab(share)).click();
    await page.getByRole("button", { name: `Set to ${share}` }).click();
  };
  await page.getByRole("button", tab("100 %")).click();
  await expect(page.getByText("All of whom device or session_id is known. Others go on to get off")).toBeVisible();
  await accessible(page);
  await set("100 %");
  await expect(part(page, "Everybody")).toContainText("100 % on, by device, else by session_id");
  await set("0 %");
  await expect(part(page, "Everybody")).toContainText("100 % off, by device, else by session_id");
  await set("50 %");
  await expect(part(page, "Everybody")).toContainText(/50 % \w+, 50 % \w+, by device, else by session_id/);
  expect((await inProduction(made))?.otherwise).toEqual({ split: { on: 50, off: 50 }, by: "device", or_by: ["session_id"] });
});
