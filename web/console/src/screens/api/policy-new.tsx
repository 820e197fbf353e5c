import { type Schemas, client, done, read } from "@gateline/api-client";
import { Detail, Loaded, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { PolicyForm } from "./policy-form";

/** A new policy of an API. */
export default function PolicyNew() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const kinds = useQuery({ ...read("/api/v1/policies/kinds"), staleTime: Infinity });
  const versions = useQuery(read("/api/v1/apis/{id}/versions", { params: { path: { id } } }));
  const list = `/apis/${id}/policies`;
  return (
    <Detail from={[list, "Policies"]} title="Add a policy" text="One configured step of the request path.">
      <Loaded query={kinds}>
        {(all) => (
          <Loaded query={versions}>
            {(page) => (
              <PolicyForm
                kinds={all}
                versionId={page.data[0]?.id}
                submit="Add policy"
                cancel={list}
                send={async ({ operation_id, position, audience, ...spec }) => {
                  const body = {
                    api_id: id,
                    ...spec,
                    ...(operation_id ? { operation_id } : {}),
                    ...(position === null ? {} : { position }),
                    ...(audience ? { audience: audience as Schemas["Audience"] } : {}),
                  };
                  return done(await client.POST("/api/v1/policies", { body }));
                }}
                after={() => {
                  void queries.invalidateQueries({ queryKey: ["/api/v1/policies"] });
                  go(list);
                }}
              />
            )}
          </Loaded>
        )}
      </Loaded>
    </Detail>
  );
}
