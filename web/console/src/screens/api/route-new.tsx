import { type Schemas, client, done, read } from "@gateline/api-client";
import { Detail, Loaded, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { RouteForm } from "./route-form";

/** A change without what it takes away: a new route has nothing to lose. */
function said(value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, said(field)]));
}

/** A new route of an API. */
export default function RouteNew() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const query = useQuery(read("/api/v1/apis/{id}", { params: { path: { id } } }));
  const list = `/apis/${id}/routes`;
  return (
    <Loaded query={query}>
      {(api) => (
        <Detail from={[list, `${api.title}: routes`]} title="Add a route" text="Makes a version reachable at an address. Gateways know it within a second.">
          <RouteForm
            api={api}
            submit="Add route"
            cancel={list}
            send={async (change) => done(await client.POST("/api/v1/routes", { body: said(change) as Schemas["RouteSpec"] }))}
            after={() => {
              void queries.invalidateQueries({ queryKey: ["/api/v1/routes"] });
              go(list);
            }}
          />
        </Detail>
      )}
    </Loaded>
  );
}
