/** What the screens of a flag ask the API. */
import { type Schemas, read } from "@gateline/api-client";
import { mergePatch, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import type { Flag, Targeting } from "./model";

/** The flag of the address. */
export function useFlag() {
  const id = useParam("id");
  return useQuery(read("/api/v1/feature-flags/{id}", { params: { path: { id } } }));
}

/** The organization's environments, those that were there first before others. */
export const useEnvironments = () => useQuery(read("/api/v1/environments", { params: { query: { limit: 200, sort: "created_at" } } }));

/** What is to be sent so that a flag's part for an environment becomes another; `undefined` takes it away. */
export function environmentPatch(flag: Flag, environment: string, after: Targeting | undefined): Schemas["FeatureFlagPatch"] {
  const before = flag.environments[environment];
  const change = after === undefined ? null : before ? mergePatch(before, after) : after;
  return { environments: { [environment]: change } } as Schemas["FeatureFlagPatch"];
}
