/** What a publisher does with an API in the console: routes, policies, operations. */
import { accessible, beAdmin, call, contract, expect, offer, ready, service, test } from "./support";

/** What the gateway answers without a key. */
const status = async (path: string) => (await fetch(`${ready().gateway}${path}/pets`)).status;

test.describe("routes", () => {
  test.use({ provokes: /^(400|409|422) .*\/routes/ });

  test("are added, changed and deleted; what is wrong stands at its field", async ({ page }) => {
    const title = `Routed ${Date.now()}`;
    const made = await offer(title);
    await call("/upstreams", { name: `second-${Date.now()}`, targets: [{ url: service() }] });
    const path = `/shelf-${Date.now()}`;
    await beAdmin(page);
    await page.goto(`/console/apis/${made.api}/routes`);
    await page.getByRole("link", { name: "Add a route" }).click();
    await expect(page.getByRole("heading", { name: "Add a route" })).toBeVisible();
    await page.getByLabel("Base path").fill("no slash");
    await page.getByLabel("Host").fill("not a host");
    await page.getByLabel("Largest body").fill("many");
    await page.getByRole("button", { name: "Add route" }).click();
    await expect(page.getByLabel("Largest body")).toHaveAttribute("aria-invalid", "true");
    await page.getByLabel("Largest body").fill("1 000 000");
    await page.getByRole("button", { name: "Add route" }).click();
    await expect(page.getByLabel("Base path")).toHaveAttribute("aria-invalid", "true");
    await expect(page.getByLabel("Base path")).toBeFocused();
    await expect(page.getByLabel("Host")).toHaveAttribute("aria-invalid", "true");
    await accessible(page);

    await page.getByLabel("Base path").fill(path);
    await page.getByLabel("Environment").selectOption("sandbox");
    await page.getByLabel("Host").fill("");
    await page.getByRole("button", { name: "Add route" }).click();
    const link = page.getByRole("link", { name: `${ready().gateway}${path}` });
    await expect(link).toBeVisible();
    // The route is known and wants a key.
    await expect.poll(() => status(path), { timeout: 5000 }).toBe(401);

    await link.click();
    await page.getByLabel("Base path").fill(`${path}/new`);
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(page.getByRole("link", { name: `${ready().gateway}${path}/new` })).toBeVisible();
    await expect.poll(() => status(path), { timeout: 5000 }).toBe(404);

    // The place that the first route has already is told above the form.
    await page.getByRole("link", { name: `${ready().gateway}${path}/new` }).click();
    const { data } = await call<{ data: { base_path: string }[] }>(`/routes?filter[api]=${made.api}`);
    await page.getByLabel("Base path").fill(data.find((each) => each.base_path !== `${path}/new`)?.base_path ?? "");
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(page.getByRole("alert")).toContainText("route_taken");

    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog", { name: "Delete the route?" }).getByRole("button", { name: "Delete" }).click();
    await expect(page).toHaveURL(/\/routes$/);
    await expect(page.getByRole("link", { name: `${ready().gateway}${path}/new` })).toHaveCount(0);
    await expect.poll(() => status(`${path}/new`), { timeout: 5000 }).toBe(404);
  });
});

test.describe("policies", () => {
  test.use({ provokes: /^(400|409|422) .*\/policies/ });

  test("are written in a form made of their schema", async ({ page }) => {
    const made = await offer(`Ruled ${Date.now()}`);
    await beAdmin(page);
    await page.goto(`/console/apis/${made.api}/policies`);
    await page.getByRole("link", { name: "Add a policy" }).click();
    await page.getByLabel("Policy", { exact: true }).selectOption("rate_limit");
    const requests = page.getByLabel("Requests");
    await page.getByRole("button", { name: "Add policy" }).click();
    await expect(requests).toHaveAttribute("aria-invalid", "true");
    await expect(page.getByLabel("Window (seconds)")).toHaveAttribute("aria-invalid", "true");
    await expect(requests).toBeFocused();
    await requests.fill("0");
    await page.getByLabel("Window (seconds)").fill("soon");
    await page.getByRole("button", { name: "Add policy" }).click();
    await expect(page.getByLabel("Window (seconds)")).toBeFocused();
    await page.getByLabel("Window (seconds)").fill("60");
    await page.getByRole("button", { name: "Add policy" }).click();
    await expect(requests).toBeFocused();
    await requests.fill("1,000");
    await page.getByRole("combobox", { name: /^Per/ }).selectOption({ label: "Address" });
    await page.getByLabel("Only for operation").fill("GET /pets");
    await accessible(page);

    // The other view shows the same value.
    const shown = page.getByRole("group", { name: "Show configuration as" });
    await shown.getByRole("button", { name: "JSON" }).click();
    const json = page.getByLabel("Configuration as JSON");
    expect(JSON.parse(await json.inputValue())).toEqual({ requests: 1000, window_seconds: 60, per: "address" });
    await json.fill('{ "requests": 2000, ');
    await expect(json).toHaveAttribute("aria-invalid", "true");
    await expect(shown.getByRole("button", { name: "Form", exact: true })).toBeDisabled();
    await json.fill('{ "requests": 2000, "window_seconds": 60, "planet": 1 }');
    await page.getByRole("button", { name: "Add policy" }).click();
    await expect(page.getByText("/planet")).toBeVisible();
    await expect(page.getByRole("alert")).toHaveCount(0);
    await accessible(page);
    await json.fill('{ "requests": 2000, "window_seconds": 60 }');
    await shown.getByRole("button", { name: "Form", exact: true }).click();
    await expect(page.getByLabel("Requests")).toHaveValue("2000");
    await page.getByRole("button", { name: "Add policy" }).click();

    const row = page.getByRole("row", { name: /Rate limit/ });
    await expect(row).toContainText('"requests":2000');
    await row.getByRole("button", { name: "Turn off" }).click();
    await expect(row.getByText("off", { exact: true })).toBeVisible();
  });

  test("have rows for lists and maps, with what is wrong at the row", async ({ page }) => {
    const made = await offer(`Rowed ${Date.now()}`);
    await beAdmin(page);
    await page.goto(`/console/apis/${made.api}/policies/new`);
    await page.getByLabel("Policy", { exact: true }).selectOption("headers");
    const request = page.getByRole("group", { name: "Request" });
    await request.getByRole("button", { name: "Add to Set" }).click();
    await expect(request.getByLabel("Set 1: name")).toBeFocused();
    await page.keyboard.type("Host");
    await page.keyboard.press("Tab");
    await page.keyboard.type("elsewhere");
    await request.getByRole("button", { name: "Add to Set" }).click();
    await page.keyboard.type("X-Team");
    await request.getByLabel("Set 2: value").fill("blue");
    await request.getByRole("button", { name: "Add to Remove" }).click();
    await page.keyboard.type("Cookie");
    await page.getByRole("button", { name: "Add policy" }).click();
    await expect(request.getByLabel("Set 1: value")).toHaveAttribute("aria-invalid", "true");
    await expect(request.getByLabel("Set 2: value")).toHaveAttribute("aria-invalid", "false");
    await accessible(page);
    await request.getByRole("button", { name: "Remove Set 1" }).click();
    await expect(request.getByLabel("Set 1: name")).toHaveValue("X-Team");
    await page.getByRole("button", { name: "Add policy" }).click();

    // What is taken away from a policy is gone.
    await page.getByRole("link", { name: "Headers" }).click();
    await page.getByRole("group", { name: "Request" }).getByRole("button", { name: "Remove Set 1" }).click();
    await page.getByRole("button", { name: "Save changes" }).click();
    await expect(page.getByRole("row", { name: /Headers/ })).toContainText("Cookie");
    await expect(page.getByRole("row", { name: /Headers/ })).not.toContainText("X-Team");

    await page.getByRole("link", { name: "Headers" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await expect(page.getByRole("heading", { name: "Only what every API has" })).toBeVisible();
  });
});

test("operations are found by words of their path, method and name, page by page", async ({ page }) => {
  const paths = Array.from({ length: 120 }, (_, at) => `  /things/${at}:\n    get:\n      operationId: read_thing_${at}\n      responses: { "200": { description: ok } }\n`);
  const document = contract(`Large ${Date.now()}`) + paths.join("");
  const made = await call("/apis/import", { document, upstream_url: service(), publish: false });
  await beAdmin(page);
  await page.goto(`/console/apis/${made["api"]}/operations`);
  await page.getByRole("button", { name: "Next page" }).click();
  await expect(page.getByRole("row")).toHaveCount(23);
  await page.getByRole("searchbox").pressSequentially("get THING_11", { delay: 60 });
  await expect(page.getByRole("row")).toHaveCount(12);
  await expect(page).toHaveURL(/q=get\+THING_11/);
  // Typing goes on in the field while the list changes.
  await expect(page.getByRole("searchbox")).toBeFocused();
  await page.keyboard.type("9");
  await expect(page.getByRole("row")).toHaveCount(2);
  await page.getByRole("searchbox").fill("nothing like it");
  await page.getByRole("button", { name: "Show all" }).click();
  await expect(page.getByRole("searchbox")).toHaveValue("");
  await expect(page.getByRole("row")).toHaveCount(101);
});
