import type { Schemas } from "@gateline/api-client";

export type Filters = NonNullable<Schemas["AnalyticsQuery"]["filters"]>;

/** Filters as they are typed; text that is no JSON is sent as it is, so that the API says what is wrong with it. */
export function filtersOf(text: string): Filters {
  if (text.trim() === "") return [];
  try {
    return JSON.parse(text) as Filters;
  } catch {
    return text as unknown as Filters;
  }
}
