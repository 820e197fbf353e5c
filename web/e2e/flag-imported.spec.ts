/** What flags from other products have and those made here mostly do not: it is shown, kept and, where that makes sense, edited. */
import { editor, inProduction, key, make, part } from "./flags";
import { accessible, beAdmin, call, expect, test } from "./support";

const gates = [{ key: "rollout", by: "user_id", dialect: "unleash", parts: [[0, 50]] }];
const buckets = { dialect: "unleash", key: "checkout", parts: [{ weight: 33, serve: "on" }, { weight: 67 }] };
const logic = { if: [{ "==": [{ var: "plan" }, "pro"] }, "on", null] };
const during = { from: "2026-01-01T00:00:00Z", until: "2030-01-01T00:00:00Z" };
const when = { all: [{ during }, { attribute: "plan", op: "in", values: ["pro"], text_only: true }] };

test("what came from another product is shown and kept, and can be changed", async ({ page }) => {
  const rules = [
    { name: "parts", gates, buckets, by: "user_id" },
    { name: "computed", logic },
    { name: "narrow", when, serve: "on" },
  ];
  const made = await make("imported", { rules });
  await beAdmin(page);
  await page.goto(`/console/flags/${made.id}/in/production`);
  await expect(part(page, "Rule parts")).toContainText("parts 33 on, 67 nothing, unleash, by user_id");
  await expect(part(page, "Rule parts")).toContainText("the part 0 % to 50 % of all in rollout, by user_id, in the order of Unleash");
  await expect(part(page, "Rule computed")).toContainText("what its logic says");
  await expect(part(page, "Rule narrow")).toContainText("the text plan is one of pro");

  await editor(page, made);
  const rule = (place: number) => page.getByRole("group", { name: `rule ${place}`, exact: true });
  await expect(rule(1).getByLabel("They get")).toHaveValue("  ");
  await expect(rule(1).getByText("They get parts 33 on, 67 nothing")).toBeVisible();
  await expect(rule(1).getByLabel("In the order of")).toHaveValue("unleash");
  await rule(1).getByLabel("Name").fill("by parts");
  await expect(rule(2).getByText("They get what its logic says")).toBeVisible();
  await rule(2).getByLabel("Name").fill("by logic");
  await expect(rule(3).getByRole("button", { name: "Texts only" })).toHaveAttribute("aria-pressed", "true");
  await expect(rule(3).getByLabel("Not before")).not.toHaveValue("");
  await rule(3).getByLabel("Comparison").selectOption("starts_with");
  await rule(3).getByLabel("Before", { exact: true }).fill("");
  // The form shows all of it, so the JSON beside it does not take its place.
  await page.getByRole("button", { name: "Show the JSON" }).click();
  await expect(page.getByText("The form and the JSON say the same")).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(part(page, "Rule by parts")).toBeVisible();
  const kept = await inProduction(made);
  expect(kept?.rules).toEqual([
    { name: "by parts", gates, buckets, by: "user_id" },
    { name: "by logic", logic },
    { name: "narrow", when: { all: [{ during: { from: during.from } }, { attribute: "plan", op: "starts_with", values: ["pro"], text_only: true }] }, serve: "on" },
  ]);

  await editor(page, made);
  await rule(2).getByLabel("They get").selectOption("on");
  await rule(1).getByLabel("They get").selectOption("A split by percent");
  await rule(1).getByLabel("In the order of").selectOption("Gateline");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(part(page, "Rule by logic")).toContainText("→ on");
  expect((await inProduction(made))?.rules.slice(0, 2)).toMatchObject([{ gates: [{ key: "rollout", parts: [[0, 50]] }], split: { off: 100 }, by: "user_id" }, { name: "by logic", serve: "on" }]);
});

test("a rule for a share, for entries of a list, and that needs another flag is made", async ({ page }) => {
  const other = await make("base");
  const made = await make("narrow", { rules: [{ name: "narrow", serve: "on" }] });
  await beAdmin(page);
  await editor(page, made);
  const rule = page.getByRole("group", { name: "rule 1", exact: true });
  await rule.getByRole("button", { name: "Add a share" }).click();
  await rule.getByLabel("Key").fill("tenth");
  await rule.getByLabel("Part 1: to").fill("10");
  await rule.getByRole("button", { name: "Add an entry of a list" }).click();
  await rule.getByLabel("An entry of the list").fill("tags");
  await rule.getByLabel("Comparison").selectOption("starts_with");
  await rule.getByLabel("Value of tags").fill("beta-");
  await rule.getByRole("button", { name: "Add a prerequisite of the rule" }).click();
  await rule.getByLabel("Flag", { exact: true }).fill(other.key);
  await rule.getByRole("checkbox", { name: "on" }).check();
  await accessible(page);
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(part(page, "Rule narrow")).toContainText(`Only if the flag ${other.key} gives on`);
  await accessible(page);
  expect((await inProduction(made))?.rules).toEqual([
    {
      name: "narrow",
      when: {
        all: [
          { share: { key: "tenth", by: "user_id", parts: [[0, 10]] } },
          { element: "tags", fits: { attribute: "tags", op: "starts_with", values: ["beta-"] } },
        ],
      },
      requires: [{ flag: other.key, variants: ["on"] }],
      serve: "on",
    },
  ]);
});

test("a segment that depends on time is made and changed", async ({ page }) => {
  await beAdmin(page);
  const name = key("season");
  await page.goto("/console/segments/new");
  await page.getByLabel("Key").fill(name);
  await page.getByRole("button", { name: "Add a span of time" }).click();
  await page.getByRole("button", { name: "Remove conditions 1" }).click();
  await page.getByLabel("Not before").fill("2026-12-01T00:00");
  await accessible(page);
  await page.getByRole("button", { name: "Create segment" }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  await expect(page.getByText(/^from 2026-1[12]-/)).toBeVisible();
  await page.getByRole("link", { name: "Change" }).click();
  await page.getByLabel("Before", { exact: true }).fill("2026-12-24T00:00");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText(/until 2026-12-2/)).toBeVisible();
  const [segment] = (await call<{ data: { when: unknown }[] }>(`/segments?filter[key]=${name}`)).data;
  expect(segment?.when).toMatchObject({ all: [{ during: { from: expect.stringMatching(/^2026-/), until: expect.stringMatching(/^2026-12-2/) } }] });
});
