/** What tests of feature flags are made of. */
import type { Page } from "@playwright/test";
import { call } from "./support";

/** A flag as it was made. */
export interface Made {
  id: string;
  key: string;
}

let counter = 0;
/** A key that no other flag has. */
export const key = (name: string): string => `${name}-${Date.now()}-${(counter += 1)}`;

/** Makes a boolean flag with a part for production. */
export const make = (name: string, targeting: object = {}): Promise<Made> =>
  call<Made>("/feature-flags", { key: key(name), environments: { production: { off: "off", otherwise: { serve: "off" }, ...targeting } } });

/** Its part for an environment. */
export interface Targeting {
  enabled: boolean;
  rules: { name?: string; when?: unknown; serve?: string }[];
  otherwise: unknown;
}

/** What is said of it in production now. */
export const inProduction = async (made: Made): Promise<Targeting | undefined> =>
  (await call<{ environments: Record<string, Targeting> }>(`/feature-flags/${made.id}`)).environments["production"];

/** Opens the form for production. */
export const editor = (page: Page, made: Made) => page.goto(`/console/flags/${made.id}/in/production/edit`);

/** A part of who gets what, by its title. */
export const part = (page: Page, title: string) => page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: title, exact: true }) });
