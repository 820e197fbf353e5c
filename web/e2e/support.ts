/** What browser tests are made of: a page that may not complain, sign-in, data, accessibility. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, type Page, test as base, expect } from "@playwright/test";
import type { AxeResults, ElementContext, RunOptions } from "axe-core";
import type { Ready } from "./server";

export { expect };

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The program under test. */
export const ready = (): Ready => JSON.parse(process.env["E2E_READY"] ?? "{}") as Ready;

/** The service behind it. */
export const service = (): string => process.env["E2E_SERVICE"] ?? "";

interface Fixtures {
  /** Failed calls that the test provokes: `400 /api/v1/plans`. */
  provokes: RegExp;
}

// Asking who is signed in is answered 401 to those who are not.
const always = /^401 .*\/auth\/sessions\/current$/;

/** A test whose page must stay silent: no error in the console, no exception, nothing against the security policy, no call elsewhere. */
export const test = base.extend<Fixtures>({
  // Known only when the program runs. Playwright wants the pattern, even an empty one.
  // eslint-disable-next-line no-empty-pattern
  baseURL: async ({}, use) => use(ready().control),
  provokes: [/^$/, { option: true }],
  page: async ({ page, provokes }, use) => {
    const complaints: string[] = [];
    const { origin } = new URL(ready().control);
    page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() !== "error") return;
      const status = Number(/status of (\d+)/.exec(message.text())?.[1] ?? 0);
      const { pathname } = new URL(message.location().url || "about:blank");
      const failed = `${status} ${pathname}`;
      if (always.test(failed) || provokes.test(failed)) return;
      complaints.push(`console: ${message.text()} (${pathname})`);
    });
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.origin !== origin && !["data:", "blob:", "about:"].includes(url.protocol)) complaints.push(`left our origin: ${request.url()}`);
    });
    await page.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => {
        throw new Error(`${event.violatedDirective} forbids ${event.blockedURI || event.sourceFile}`);
      });
    });
    await use(page);
    expect(complaints, "the page has nothing to complain about").toEqual([]);
  },
});

let session: Awaited<ReturnType<BrowserContext["cookies"]>> | undefined;

/** Is the administrator, without going through the sign-in. */
export async function beAdmin(page: Page): Promise<void> {
  if (!session) {
    const { email, password } = ready().admin;
    const answer = await page.request.post("/api/v1/auth/sessions", { data: { email, password } });
    expect(answer.ok(), "the administrator can sign in").toBe(true);
    session = await page.context().cookies();
  }
  await page.context().addCookies(session);
}

/** Signs the administrator in to the console. */
export async function signIn(page: Page): Promise<void> {
  await page.goto("/console/sign-in");
  await page.getByLabel("Email").fill(ready().admin.email);
  await page.getByLabel("Password").fill(ready().admin.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
}

/** Calls the control API as the administrator. */
export async function call<T = Record<string, string>>(path: string, body?: unknown, method = body === undefined ? "GET" : "POST"): Promise<T> {
  const response = await fetch(`${ready().control}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${ready().admin.token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

/** A contract with two operations. */
export const contract = (title: string): string => `openapi: 3.1.0
info:
  title: ${title}
  version: 1.0.0
  description: Pets to take home.
paths:
  /pets:
    get:
      operationId: list_pets
      summary: All pets
      responses:
        "200":
          description: The pets
  /pets/{pet_id}:
    get:
      operationId: read_pet
      summary: One pet
      parameters:
        - name: pet_id
          in: path
          required: true
          schema: { type: integer }
          example: 7
      responses:
        "200":
          description: The pet
`;

/** What [`offer`] made. */
export interface Offer {
  api: string;
  version: string;
  product: string;
}

/** Imports and publishes a contract, as `gateline import --publish` does. */
export async function offer(title: string): Promise<Offer> {
  const made = await call<Offer>("/apis/import", { document: contract(title), upstream_url: service(), publish: true, environment: "sandbox" });
  return { api: made.api, version: made.version, product: made.product };
}

type Run = (context: ElementContext, options: RunOptions) => Promise<AxeResults>;

/** Fails when axe finds something: everything in light, what differs (contrast) in dark. */
export async function accessible(page: Page): Promise<void> {
  // What is being replaced is paler until it is.
  await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
  await page.evaluate(axe);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const result = await page.evaluate(async (scheme) => {
      // What the reference shows inside is Scalar's.
      const context = { include: ["body"], exclude: [".scalar-app"] };
      const options: RunOptions = scheme === "dark" ? { runOnly: ["color-contrast"] } : {};
      return (globalThis as unknown as { axe: { run: Run } }).axe.run(context, options);
    }, colorScheme);
    const found = result.violations.flatMap((each) =>
      each.nodes.map((node) => `${each.id}: ${node.target.join(" ")}: ${node.any.map((check) => check.message).join("; ")}: ${node.html}`),
    );
    expect(found, `axe finds nothing in ${colorScheme}`).toEqual([]);
  }
}

let people = 0;

/** Makes an account in the portal; the page comes back to where it was asked for. */
export async function signUp(page: Page, name: string): Promise<string> {
  people += 1;
  const email = `${name.toLowerCase()}-${Date.now()}-${people}@example.com`;
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill("a sentence is a good one");
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page.getByRole("button", { name: "Sign out" })).toBeVisible();
  return email;
}

/** Opens a link. Tries with links that are none are slowed down, and other tests make some. */
export async function open(page: Page, url: string): Promise<void> {
  await page.goto(url);
  const again = page.getByRole("button", { name: "Try again" });
  await expect(async () => {
    if (await again.isVisible()) await again.click();
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
    await expect(again).toHaveCount(0, { timeout: 1000 });
  }).toPass({ timeout: 40_000 });
}

/** Presses a button until it is not answered that there were too many tries before. */
export async function press(page: Page, name: string): Promise<void> {
  await expect(async () => {
    await page.getByRole("button", { name }).click();
    await expect(page.getByRole("button", { name, disabled: true })).toHaveCount(0);
    await expect(page.getByText("sign_in_delayed")).toHaveCount(0, { timeout: 100 });
  }).toPass({ timeout: 40_000, intervals: [1000] });
}

/** Somebody else with a role, signed in to the console in a browser of their own. */
export async function somebody(browser: Browser, name: string, role: string): Promise<Page> {
  people += 1;
  const email = `${name.toLowerCase()}-${Date.now()}-${people}@example.com`;
  const { url } = await call<{ url: string }>("/invitations", { email, role });
  const context = await browser.newContext({ baseURL: ready().control });
  const page = await context.newPage();
  const link = new URL(url ?? "");
  await open(page, link.pathname + link.hash);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill("a sentence is a good one");
  await press(page, "Create account and join");
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  return page;
}
