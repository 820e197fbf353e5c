/** Who a unit is: an attribute, and others where that one is not known. */
import { editor, inProduction, make, part } from "./flags";
import { accessible, beAdmin, expect, test } from "./support";

test("fallbacks of a unit are shown, kept by changes of anything else, and edited", async ({ page }) => {
  const units = { by: "anonymous_id", or_by: ["user_id"] };
  const gates = [{ key: "layer-1", ...units, parts: [[0, 50]] }];
  const rollout = { serve: "on", others: "off", steps: [{ at: "2030-01-01T00:00:00Z", percent: 25 }] };
  const rules = [{ name: "visitors", gates, split: { on: 50, off: 50 }, ...units }, { name: "growing", rollout, ...units }];
  const made = await make("fallbacks", { rules, otherwise: { split: { on: 10, off: 90 }, ...units } });
  await beAdmin(page);
  await page.goto(`/console/flags/${made.id}/in/production`);
  const words = "by anonymous_id, else by user_id";
  await expect(part(page, "Rule visitors")).toContainText(`of all in layer-1, ${words}`);
  await expect(part(page, "Rule visitors")).toContainText(`50 % off, 50 % on, ${words}`);
  await expect(part(page, "Rule growing")).toContainText(`0 % on, else off, ${words}`);
  await expect(part(page, "Everybody else")).toContainText(`90 % off, 10 % on, ${words}`);
  await expect(page.getByLabel("Value of user_id")).toBeVisible();
  await page.getByRole("button", { name: "25 %" }).click();
  await page.getByRole("button", { name: "Set to 25 %" }).click();
  await expect(part(page, "Everybody else")).toContainText(`75 % off, 25 % on, ${words}`);

  await editor(page, made);
  const [first, second] = [1, 2].map((place) => page.getByRole("group", { name: `rule ${place}`, exact: true }));
  const rest = page.locator("section").filter({ has: page.getByRole("heading", { name: "Everybody else" }) });
  await first?.getByLabel("Part 1: to").fill("60");
  await first?.getByLabel("Share of on in percent").fill("40");
  await first?.getByLabel("Share of off in percent").fill("60");
  await second?.getByLabel("Step 1: share, in percent").fill("30");
  await rest.getByLabel("Share of on in percent").fill("30");
  await rest.getByLabel("Share of off in percent").fill("70");
  await accessible(page);
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(part(page, "Everybody else")).toContainText(`70 % off, 30 % on, ${words}`);
  expect(await inProduction(made)).toMatchObject({
    rules: [
      { gates: [{ ...units, parts: [[0, 60]] }], split: { on: 40, off: 60 }, ...units },
      { rollout: { steps: [{ percent: 30 }] }, ...units },
    ],
    otherwise: { split: { on: 30, off: 70 }, ...units },
  });

  await editor(page, made);
  await rest.getByRole("button", { name: "Add a fallback" }).click();
  await expect(rest.getByLabel("Fallback 2")).toBeFocused();
  await rest.getByLabel("Fallback 2").fill("session_id");
  await rest.getByRole("button", { name: "Remove fallbacks 1" }).click();
  await first?.getByRole("button", { name: "Remove fallbacks 1" }).first().click();
  // What the JSON says of them, the form shows as well.
  await page.getByRole("button", { name: "Show the JSON" }).click();
  await expect(page.getByText("The form and the JSON say the same")).toBeVisible();
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(part(page, "Everybody else")).toContainText("by anonymous_id, else by session_id");
  const now = await inProduction(made);
  expect(now?.otherwise).toMatchObject({ by: "anonymous_id", or_by: ["session_id"] });
  expect(now?.rules).toMatchObject([{ gates: [{ by: "anonymous_id" }], or_by: ["user_id"] }, units]);
  expect(JSON.stringify(now?.rules[0])).toContain('"gates":[{"key":"layer-1","by":"anonymous_id","parts"');
});
