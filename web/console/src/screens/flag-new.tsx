import { type Schemas, client, done } from "@gateline/api-client";
import { Detail, Loaded, useGo } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { FlagForm } from "../flags/flag-form";
import { useEnvironments } from "../flags/queries";

/** Creates a feature flag. */
export default function FlagNew() {
  const go = useGo();
  const queries = useQueryClient();
  const environments = useEnvironments();
  return (
    <Detail from={["/flags", "Feature flags"]} title="Create a feature flag" text="Everybody gets the same at first. Who gets what is said next, for each environment.">
      <Loaded query={environments}>
        {({ data }) => (
          <FlagForm
            environments={data.map((each) => each.name)}
            submit="Create feature flag"
            cancel="/flags"
            send={async ({ expires_at, ...change }) => {
              const body = { ...change, ...(expires_at === null ? {} : { expires_at }) } as Schemas["FeatureFlagSpec"];
              const made = done(await client.POST("/api/v1/feature-flags", { body }));
              await queries.invalidateQueries({ queryKey: ["/api/v1/feature-flags"] });
              return made;
            }}
            after={({ id }) => go(`/flags/${id}`)}
          />
        )}
      </Loaded>
    </Detail>
  );
}
