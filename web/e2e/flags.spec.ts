/** Feature flags: one is made, said who gets it, tried, raised and switched off; what is wrong stands at its field. */
import { editor, inProduction, key, make, part } from "./flags";
import { accessible, beAdmin, call, expect, test } from "./support";

test("a flag is made, targeted, tried, raised and switched off", async ({ page }) => {
  await beAdmin(page);
  const name = key("checkout");
  await page.goto("/console/flags/new");
  await page.getByLabel("Key").fill(name);
  await page.getByLabel("Title").fill("Checkout");
  await page.getByRole("button", { name: "Create feature flag" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Checkout" })).toBeVisible();
  await page.getByRole("navigation", { name: "Parts of Checkout" }).getByRole("link", { name: "production" }).click();
  await page.getByRole("link", { name: "Edit" }).click();

  await page.getByRole("button", { name: "Add a rule" }).click();
  const rule = page.getByRole("group", { name: "rule 1" });
  await rule.getByLabel("Name").fill("staff");
  await rule.getByLabel("Attribute", { exact: true }).fill("email");
  await rule.getByLabel("Comparison").selectOption("ends_with");
  await rule.getByLabel("Value of email").fill("@acme.example");
  await rule.getByRole("button", { name: "Capitals make no difference" }).click();
  await rule.getByLabel("They get").selectOption("on");
  const rest = page.locator("section").filter({ has: page.getByRole("heading", { name: "Everybody else" }) });
  await rest.getByLabel("They get").selectOption("A split by percent");
  await rest.getByLabel("Share of off in percent").fill("90");
  await expect(rest.getByText("10 % are left.")).toBeVisible();
  await rest.getByRole("button", { name: "Give the rest to on" }).click();
  await expect(rest.getByText("100 % are given out.")).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "Save changes" }).click();

  await expect(part(page, "Rule staff")).toContainText("email ends with @acme.example, in capitals or not");
  await expect(part(page, "Everybody else")).toContainText("90 % off, 10 % on, by user_id");
  await page.getByLabel("Value of email").fill("Ada@ACME.example");
  await page.getByRole("button", { name: "Try it" }).click();
  await expect(page.getByRole("group", { name: "Answer" })).toContainText("They get on");
  await expect(part(page, "Rule staff")).toContainText("Decides");
  await expect(part(page, "Rule staff")).toContainText('email is "Ada@ACME.example": it fits.');
  await expect(part(page, "Everybody else")).toContainText("Not looked at");
  await accessible(page);
  await page.getByLabel("Value of email").fill("");
  await page.getByLabel("Value of user_id").fill("123");
  await page.getByRole("button", { name: "Try it" }).click();
  await expect(part(page, "Rule staff")).toContainText("email is not known: it does not fit.");
  await expect(part(page, "Everybody else")).toContainText(/By user_id they are at \d+\.\d+ % of all/);

  await page.getByText("Not given to SDKs of Unleash, GrowthBook").click();
  await expect(page.getByText("Unleash puts units in another order")).toBeVisible();
  await page.getByRole("button", { name: "25 %" }).click();
  await page.getByRole("button", { name: "Set to 25 %" }).click();
  await expect(part(page, "Everybody else")).toContainText("75 % off, 25 % on, by user_id");
  // The answer was about the flag as it was.
  await expect(page.getByRole("group", { name: "Answer" })).toHaveCount(0);

  await page.getByRole("switch", { name: "On in production" }).click();
  await page.getByRole("dialog", { name: /off in production\?/ }).getByRole("button", { name: "Turn off" }).click();
  await expect(page.getByRole("switch", { name: "On in production" })).not.toBeChecked();
  await page.getByRole("button", { name: "Try it" }).click();
  await expect(page.getByRole("group", { name: "Answer" })).toContainText("The flag is off.");
  await accessible(page);

  await page.goto(`/console/flags?q=${name}`);
  const row = page.getByRole("row", { name: new RegExp(name) });
  await expect(row).toContainText("Off");
  await expect(row).toContainText("Nobody");
  await row.getByRole("link", { name }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Feature flags" })).toBeVisible();
});

test.describe("a share that grows", () => {
  test.use({ provokes: /^400 .*\/feature-flags\/flg_\w+$/ });

  test("is edited and shown, and a sticky rule keeps what some have", async ({ page }) => {
    const gates = [{ key: "exp", by: "user_id", parts: [[0, 30]] }];
    const rules = [{ name: "exp", gates, split: { on: 50, off: 50 }, by: "user_id" }];
    const made = await make("growing", { rules, otherwise: { split: { on: 10, off: 90 }, by: "user_id" } });
    await beAdmin(page);
    await editor(page, made);
    const rest = page.locator("section").filter({ has: page.getByRole("heading", { name: "Everybody else" }) });
    await rest.getByLabel("They get").selectOption("A share that grows by a schedule");
    await expect(rest.getByLabel("Share before the first step, in percent")).toHaveValue("10");
    await rest.getByLabel("Step 1: from").fill("2030-01-01T00:00");
    await rest.getByLabel("Step 1: share, in percent").fill("25");
    await rest.getByRole("button", { name: "Add a step" }).click();
    await expect(rest.getByLabel("Step 2: share, in percent")).toHaveValue("50");
    await rest.getByLabel("Step 2: share, in percent").fill("101");
    await page.getByRole("checkbox", { name: "Sticky" }).check();
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(rest.getByText("101 is not from 0 to 100 in steps of 0.001.")).toBeVisible();
    await rest.getByLabel("Step 2: share, in percent").fill("100");
    await accessible(page);
    await page.getByRole("button", { name: "Save changes" }).click();

    const table = part(page, "Everybody else").getByRole("table", { name: "Share of on" });
    await expect(table.getByRole("row").nth(1)).toContainText(/At first\s*10 %\s*Now 10 %/);
    await expect(table.getByRole("row").nth(2)).toContainText("25 %");
    await expect(table.getByRole("row").nth(3)).toContainText("100 %");
    await expect(part(page, "Everybody else")).toContainText("10 % on, else off, by user_id");
    await expect(part(page, "Rule exp")).toContainText("Sticky");
    await page.getByLabel("Value of user_id").fill("123");
    await page.getByRole("button", { name: "Try it" }).click();
    await expect(page.getByRole("group", { name: "Answer" })).toContainText("They get");
    await accessible(page);

    await editor(page, made);
    const rule = page.getByRole("group", { name: "rule 1" });
    await rule.getByLabel("Part 1: to").fill("60");
    await rule.getByLabel("Share of on in percent").fill("20");
    await rule.getByLabel("Share of off in percent").fill("80");
    await page.getByRole("button", { name: "Save changes" }).click();
    const kept = part(page, "Rule exp").getByRole("list", { name: "Earlier splits that are kept" });
    await expect(kept).toContainText("0 % to 30 % of exp keep 50 % off, 50 % on");
    expect((await inProduction(made))?.rules).toMatchObject([{ sticky: true, split: { on: 20, off: 80 }, kept: [{ parts: [[0, 30]], split: { on: 50, off: 50 } }] }]);
    await editor(page, made);
    await expect(rule.getByRole("list", { name: "Earlier splits that are kept" })).toContainText("0 % to 30 % of exp keep 50 % off, 50 % on");
    await accessible(page);
  });
});

test("values are of the flag's type, and a change keeps the others", async ({ page }) => {
  await beAdmin(page);
  const name = key("limits");
  await page.goto("/console/flags/new");
  await page.getByLabel("Key").fill(name);
  await page.getByLabel("Type").selectOption("json");
  await page.getByLabel("Value of off").fill('{"size": 1}');
  await page.getByLabel("Value of on").fill('{"size": ');
  await page.getByRole("button", { name: "Create feature flag" }).click();
  await expect(page.getByText(/This is not JSON/).first()).toBeVisible();
  await page.getByLabel("Value of on").fill('{"size": 2, "list": [true]}');
  await accessible(page);
  await page.getByRole("button", { name: "Create feature flag" }).click();
  await expect(page.getByRole("cell", { name: '{"size":2,"list":[true]}' })).toBeVisible();
  await page.getByRole("link", { name: "Change", exact: true }).click();
  await page.getByLabel("Value of on").fill('{"size": 3}');
  await page.getByRole("button", { name: "Add to variants" }).click();
  await page.getByLabel("Variant 3: name").fill("huge");
  await page.getByLabel("Value of huge").fill("1000");
  await page.getByLabel("May not ask for it").check();
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByRole("cell", { name: '{"size":3}' })).toBeVisible();
  await expect(page.getByRole("cell", { name: "1000" })).toBeVisible();
  await expect(page.getByText("May not ask for it")).toBeVisible();
});

test("rules are put in order, copied and taken away with the keyboard, and leaving asks first", async ({ page }) => {
  const made = await make("ordered", { rules: [{ name: "first", when: { attribute: "plan", op: "in", values: ["pro"] }, serve: "on" }, { name: "second", serve: "on" }] });
  await beAdmin(page);
  await editor(page, made);
  await page.getByRole("button", { name: "Move down rule 1" }).press("Enter");
  await expect(page.getByRole("group", { name: "rule 2" }).getByLabel("Name")).toHaveValue("first");
  // It is the last one now: the focus goes on to what can be pressed.
  await expect(page.getByRole("button", { name: "Move up rule 2" })).toBeFocused();
  await page.getByRole("button", { name: "Duplicate rule 2" }).press("Enter");
  await expect(page.getByRole("button", { name: "Duplicate rule 3" })).toBeFocused();
  await page.getByRole("group", { name: "rule 3" }).getByLabel("Name").fill("third");
  await page.getByRole("button", { name: "Remove rule 1" }).press("Enter");
  await expect(page.getByRole("button", { name: "Add a rule" })).toBeFocused();

  const second = page.getByRole("group", { name: "rule 2" });
  const values = second.getByRole("textbox", { name: "Value of plan" });
  await values.focus();
  await page.keyboard.type("team, trial");
  await page.keyboard.press("Enter");
  await page.keyboard.type("gone");
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowLeft");
  await expect(second.getByRole("button", { name: "Remove gone" })).toBeFocused();
  await page.keyboard.press("Delete");
  await expect(values).toBeFocused();
  await second.getByRole("button", { name: "Add a condition" }).press("Enter");
  await expect(second.getByLabel("Attribute", { exact: true }).nth(1)).toBeFocused();
  await page.keyboard.type("beta");
  await second.getByLabel("Comparison").nth(1).selectOption("is_present");
  await second.getByRole("button", { name: "Not", exact: true }).nth(1).press("Enter");
  await second.getByLabel("How they are joined").selectOption("any");

  await page.getByRole("link", { name: "Feature flags" }).first().click();
  const leave = page.getByRole("dialog", { name: "Leave without saving?" });
  await leave.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(part(page, "Rule third")).toContainText("At least one of");
  const plan = { attribute: "plan", op: "in", values: ["pro"] };
  expect((await inProduction(made))?.rules).toEqual([
    { name: "first", when: plan, serve: "on" },
    { name: "third", when: { any: [{ ...plan, values: ["pro", "team", "trial"] }, { not: { attribute: "beta", op: "is_present" } }] }, serve: "on" },
  ]);
});

test.describe("what is wrong", () => {
  test.use({ provokes: /^400 .*\/feature-flags(\/flg_\w+)?$/ });

  test("stands at its field, in the form and in the JSON", async ({ page }) => {
    const made = await make("wrong", {
      rules: [{ name: "pattern", when: { all: [{ attribute: "email", op: "in", values: ["a"] }, { any: [{ attribute: "host", op: "matches", values: ["a"] }] }] }, serve: "on" }],
    });
    await beAdmin(page);
    await editor(page, made);
    const rule = page.getByRole("group", { name: "rule 1" });
    const host = rule.getByRole("textbox", { name: "Value of host" });
    await host.fill("(");
    await rule.getByRole("button", { name: "pattern" }).click();
    await expect(host).toBeHidden();
    await page.getByRole("button", { name: "Save changes" }).click();
    // The rule opens, and the field has the focus.
    await expect(rule.getByText("`(` is not a regular expression.".replaceAll("`", ""))).toBeVisible();
    await expect(host).toBeFocused();
    await expect(page.getByRole("alert")).toHaveCount(0);
    await accessible(page);
    await page.getByRole("button", { name: "Show the JSON" }).click();
    await expect(page.locator(".cm-lint-marker-error")).toHaveCount(1);
    await rule.getByRole("button", { name: "Remove (" }).click();
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(part(page, "Rule pattern")).toContainText("host matches a");
  });

  test("with a key is said beside it", async ({ page }) => {
    await beAdmin(page);
    await page.goto("/console/flags/new");
    await page.getByLabel("Key").fill("not a key");
    await page.getByRole("button", { name: "Create feature flag" }).click();
    await expect(page.getByText(/is not the key of a flag/).first()).toBeVisible();
    await expect(page.getByLabel("Key")).toBeFocused();
  });
});

test("the form and the JSON say the same", async ({ page }) => {
  const made = await make("json");
  await beAdmin(page);
  await editor(page, made);
  await page.getByRole("button", { name: "Show the JSON" }).click();
  const json = page.getByRole("textbox", { name: "Who gets what, as JSON" });
  await expect(json).toContainText('"off": "off"');
  await json.fill('{"off": "off", "rules": [{"name": "typed", "serve": "on"}], "otherwise": {"serve": "off"}}');
  await expect(page.getByRole("group", { name: "rule 1" }).getByLabel("Name")).toHaveValue("typed");
  await json.fill('{"off": ');
  await expect(page.getByText(/This is not JSON/).first()).toBeVisible();
  await expect(page.getByRole("button", { name: "Add a rule" })).toBeDisabled();
  await accessible(page);
  await json.fill('{"off": "off", "rules": [{"name": "typed", "serve": "on"}], "otherwise": {"serve": "on"}}');
  await page.getByRole("group", { name: "rule 1" }).getByLabel("Name").fill("renamed");
  await expect(json).toContainText('"renamed"');
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(part(page, "Rule renamed")).toBeVisible();
  expect((await inProduction(made))?.otherwise).toEqual({ serve: "on" });
});

test("a flag begins in another environment as it is elsewhere, with what it needs", async ({ page }) => {
  const other = await make("needed");
  const made = await make("needs", { overrides: [{ by: "user_id", values: ["tester"], serve: "on" }] });
  await beAdmin(page);
  await editor(page, made);
  await page.getByRole("button", { name: "Add a prerequisite" }).click();
  await page.getByLabel("Flag", { exact: true }).fill(other.key);
  await page.getByRole("checkbox", { name: "on" }).check();
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(part(page, "Only if")).toContainText(`The flag ${other.key} gives on; else off.`);
  await page.getByRole("navigation", { name: /^Parts of/ }).getByRole("link", { name: "Overview" }).click();
  await expect(page.getByText("Not there: programs use their own default").first()).toBeVisible();
  await accessible(page);
  await call(`/feature-flags`, { key: key("unrelated") });
  await page.getByRole("navigation", { name: /^Parts of/ }).getByRole("link", { name: "sandbox" }).click();
  await accessible(page);
  await page.getByRole("button", { name: "Add it to sandbox" }).click();
  await expect(page.getByRole("switch", { name: "On in sandbox" })).toBeChecked();
  await page.getByRole("switch", { name: "On in sandbox" }).click();
  // Nothing can break in a sandbox: it does not ask.
  await expect(page.getByRole("switch", { name: "On in sandbox" })).not.toBeChecked();
  await page.getByRole("button", { name: "Take away" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Take away" }).click();
  await expect(page.getByRole("heading", { name: "It is not in sandbox" })).toBeVisible();
});

test("a flag is found by its tag and its owner, and has a planned end", async ({ page }) => {
  await beAdmin(page);
  const name = key("tagged");
  const tag = name.replaceAll("-", "");
  await page.goto("/console/flags/new");
  await page.getByLabel("Key").fill(name);
  await page.getByLabel("Owner").fill(`${tag}@acme.example`);
  await page.getByLabel("Tags").fill(`${tag}, shop`);
  await page.getByLabel("To be gone from the programs").selectOption("30");
  await page.getByRole("button", { name: "Create feature flag" }).click();
  await expect(page.getByText("To be gone", { exact: true })).toBeVisible();
  await page.getByRole("link", { name: `${tag}@acme.example` }).click();
  await expect(page.getByLabel("Owner")).toHaveValue(`${tag}@acme.example`);
  await page.getByRole("link", { name: tag, exact: true }).click();
  await expect(page.getByLabel("Tag")).toHaveValue(tag);
  await page.getByLabel("Environment").selectOption("production");
  await expect(page.getByRole("row")).toHaveCount(2);
  await accessible(page);
  await page.getByRole("link", { name, exact: true }).click();
  await page.getByRole("link", { name: "Change", exact: true }).click();
  await page.getByLabel("Tags").fill("");
  await page.getByLabel("To be gone from the programs").selectOption("never");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByRole("heading", { name: "Where it is on" })).toBeVisible();
  await expect(page.getByText("To be gone", { exact: true })).toHaveCount(0);
  await expect(page.getByText("Tags", { exact: true })).toHaveCount(0);
});

test.describe("what is named", () => {
  test.use({ provokes: /^409 .*\/segments\/seg_/ });

  test("a segment is made, tried, changed, named by a flag, and then not deleted", async ({ page }) => {
    await beAdmin(page);
    const name = key("beta");
    await page.goto("/console/segments/new");
    await page.getByLabel("Key").fill(name);
    await page.getByLabel("Title").fill("Beta testers");
    await page.getByLabel("Attribute", { exact: true }).fill("email");
    await page.getByLabel("Comparison").selectOption("ends_with");
    await page.getByLabel("Value of email").fill("@acme.example");
    await accessible(page);
    await page.getByRole("button", { name: "Create segment" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Beta testers" })).toBeVisible();
    await page.getByLabel("Value of email").fill("ada@acme.example");
    await page.getByRole("button", { name: "Try it" }).click();
    await expect(page.getByRole("group", { name: "Answer" })).toHaveText("They are in it");

    await page.getByRole("link", { name: "Change", exact: true }).click();
    await page.getByRole("button", { name: "Not", exact: true }).click();
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Beta testers" })).toBeVisible();
    await page.getByLabel("Value of email").fill("ada@acme.example");
    await page.getByRole("button", { name: "Try it" }).click();
    await expect(page.getByRole("group", { name: "Answer" })).toHaveText("They are not in it");
    await accessible(page);

    const made = await make("segmented");
    await editor(page, made);
    await page.getByRole("button", { name: "Add a rule" }).click();
    const rule = page.getByRole("group", { name: "rule 1" });
    await rule.getByRole("button", { name: "Remove conditions 1" }).click();
    await rule.getByRole("button", { name: "Add a segment" }).click();
    await expect(rule.getByLabel("Segment")).toBeFocused();
    await page.keyboard.type(name);
    await rule.getByLabel("They get").selectOption("on");
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(part(page, "Rule #1")).toContainText(`In the segment ${name}`);
    await page.getByLabel("Value of user_id").fill("1");
    await page.getByRole("button", { name: "Try it" }).click();
    await expect(part(page, "Rule #1")).toContainText("They are in the segment.");

    await part(page, "Rule #1").getByRole("link", { name }).click();
    await page.getByRole("link", { name, exact: true }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    const sure = page.getByRole("dialog", { name: `Delete ${name}?` });
    await sure.getByRole("button", { name: "Delete" }).click();
    await expect(sure.getByRole("alert")).toContainText(made.key);
  });
});
